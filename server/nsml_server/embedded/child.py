"""The worker as a child process: started, started again when it dies, and asked to leave at the end."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from nsml_server.embedded.folder import DataFolder

NODE = "local"
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before it is started again
# What an operator may set for the worker.
HANDED_ON = (
    "NSML_BOX_DISK",
    "NSML_BOX_NETWORKS",
    "NSML_BUILD_NETWORK",
    "NSML_BUILD_SECRETS",
    "NSML_DOCKER_RUNTIME",
    "NSML_ENVIRONMENT_BYTES",
    "NSML_IMAGE_BYTES",
    "NSML_IMAGE_PREFIX",
    "NSML_IMAGE_TAG",
    "NSML_NODE_GPUS",
    "NSML_REGISTRY_AUTH",
    "NSML_RUNNER",
    "NSML_RUNTIMES",
)
RUNTIMES = ".cache/nsmlctl/runtimes"  # in the home: where `make runtimes` puts them
STEADY = 60.0  # seconds it has to live for its earlier deaths to be forgotten
LEAVING = 8.0  # seconds it has to say goodbye
MAX_LOG = 16 * 2**20  # bytes of its log at a start; a longer one begins anew
_PR_SET_PDEATHSIG = 1


class WorkerChild:
    """One worker process at a time."""

    def __init__(self, folder: DataFolder, server_url: str, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = worker_environment(folder, server_url, environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._pause = FIRST_PAUSE
        self._again_at = 0.0

    def start(self) -> None:
        """Start it."""
        with self._open_log() as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "nsml_worker"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us: we ask it to leave when it is time
                umask=0o022,  # boxes of other users reach their files through its folders
                preexec_fn=_end_with_parent,
            )
        self._started_at = time.monotonic()
        self._again_at = 0.0

    def tend(self) -> str | None:
        """Start it again when it has died and its pause is over; returns a sentence when something happened."""
        if self._process is not None and self._process.poll() is not None:
            return self._note_death(self._process.returncode)
        if self._process is None and time.monotonic() >= self._again_at:
            self.start()
        return None

    def leave(self) -> None:
        """Ask it to leave; its boxes go on. One that does not is killed."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(LEAVING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _note_death(self, code: int) -> str:
        lived = time.monotonic() - self._started_at
        self._pause = FIRST_PAUSE if lived >= STEADY else min(self._pause * 2, LONGEST_PAUSE)
        self._process, self._again_at = None, time.monotonic() + self._pause
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"The worker {how}; it is started again in {self._pause:g} s. Its log: {self._folder.worker_log}"

    def _open_log(self) -> IO[bytes]:
        path = self._folder.worker_log
        mode = "wb" if path.exists() and path.stat().st_size > MAX_LOG else "ab"
        return path.open(mode)


def worker_environment(folder: DataFolder, server_url: str, environment: Mapping[str, str]) -> dict[str, str]:
    """What the worker is told. Of our own variables only those that are the worker's are handed on."""
    kept = {name: value for name, value in environment.items() if not name.startswith(("NSML_", "NSMLCTL_"))}
    runtimes = Path(environment.get("HOME", "/"), RUNTIMES)
    told = {
        **({"NSML_RUNTIMES": str(runtimes)} if runtimes.is_dir() else {}),
        "NSML_SERVER_URL": server_url,
        "NSML_NODE": NODE,
        "NSML_NODE_TOKEN_FILE": str(folder.node_token),
        "NSML_BROKER_URL": folder.broker_url,
        "NSML_WORKER_DATA": str(folder.worker),
        "NSML_CONFINEMENT": environment.get("NSML_CONFINEMENT", "auto"),
    }
    return {**kept, **told, **{name: environment[name] for name in HANDED_ON if name in environment}}


def _end_with_parent() -> None:
    """In the child, before it becomes the worker: leave when the server dies, or a next start would have two."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)
