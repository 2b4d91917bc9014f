"""The whole road once: a platform in a temporary folder, a competition, a training, a submit, the leaderboard.

Run by `make demo`; KEEP=1 in the environment leaves the platform running and prints its address.
"""

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "examples" / "kin"
NSMLCTL = Path(sys.executable).with_name("nsmlctl")
START = 60.0  # seconds the platform may take until it answers
STEP = 300.0  # seconds one command may take; the longest, a training, needs a few
STOP = 30.0  # seconds it may take to stop
LOG_TAIL, LOG_WIDTH = 40, 300  # lines of its log shown after a failure, and characters of each


class DemoError(Exception):
    """A step did not do what it should; the message says which."""


class Platform:
    """`nsmlctl up` in a folder of its own, which also holds its log and the login of the commands."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "platform.log"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("NSML")}
        self.environment["NSMLCTL_HOME"] = str(folder)
        words = [str(NSMLCTL), "up", "--data", str(folder / "data"), "--port", "0"]
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                words,
                cwd=folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C reaches the demo, which then stops the platform
            )

    def wait(self) -> str:
        """Its address, once it answers and its worker is there."""
        deadline = time.monotonic() + START
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise DemoError(f"nsmlctl up ended with exit code {self.process.returncode}.")
            with contextlib.suppress(OSError, ValueError, KeyError, urllib.error.URLError):
                url = str(json.loads((self.folder / "platform.json").read_text())["url"])
                with urllib.request.urlopen(f"{url}/api/v1/platform", timeout=5) as answer:  # noqa: S310 - our own address
                    if json.load(answer)["confinement"]:  # known once the worker has reported
                        return url
            time.sleep(0.05)
        raise DemoError(f"The platform did not answer within {START:.0f} seconds.")

    def run(self, *words: str, folder: Path = ROOT) -> None:
        """A command as a person types it: printed, then carried out."""
        typed = shlex.join(words)
        print(f"\n$ nsmlctl {typed}", flush=True)
        command = [str(NSMLCTL), *words]
        try:
            code = subprocess.run(command, cwd=folder, env=self.environment, timeout=STEP, check=False).returncode
        except subprocess.TimeoutExpired:
            raise DemoError(f"`nsmlctl {typed}` did not end within {STEP:.0f} seconds.") from None
        if code != 0:
            raise DemoError(f"`nsmlctl {typed}` ended with exit code {code}.")

    def stop(self) -> None:
        """Sessions that still go on first, then server and worker."""
        if self.process.poll() is None:
            self._remove_sessions()
            self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _remove_sessions(self) -> None:
        listed = self._quietly("ps", "-a", "-j")
        with contextlib.suppress(ValueError, KeyError):
            for session in json.loads(listed)["sessions"]:
                if not session["final"]:
                    self._quietly("rm", "-f", session["name"])

    def _quietly(self, *words: str) -> str:
        done = subprocess.run(
            [str(NSMLCTL), *words], env=self.environment, capture_output=True, text=True, timeout=STOP * 2, check=False
        )
        return done.stdout


def walk(platform: Platform) -> None:
    """What an organiser types, then what a participant types."""
    platform.run(
        "dataset", "push", "kin_phase1", "examples/kin/dataset", "-l", "--metric", "accuracy", "--order", "descending"
    )
    print("\n$ cd examples/kin")
    for line in (
        "run -d kin_phase1 main.py",
        "logs -f session/1",
        "model ls session/1",
        "ps -a",
        "submit session/1",
        "dataset board kin_phase1",
    ):
        platform.run(*line.split(), folder=PROGRAM)


def main() -> int:
    """The exit code: 0 when every step did what it should."""
    folder = Path(tempfile.mkdtemp(prefix="nsmlctl-demo-"))
    folder.chmod(0o711)  # started as root, boxes are users of their own and pass through here to their files
    platform = Platform(folder)
    with interrupts_by_signal():
        try:
            print(f"$ nsmlctl up --data {folder}/data --port 0")
            url = platform.wait()
            print(f"The platform answers at {url}")
            walk(platform)
        except (DemoError, KeyboardInterrupt) as error:
            print(f"\nThe demo failed: {error or 'interrupted'}\n--- the platform's log ends with:", file=sys.stderr)
            print("\n".join(tail(platform.log)), file=sys.stderr)
            finish(platform)
            return 1
    if os.environ.get("KEEP", "") not in ("", "0"):
        explain(platform, url)
    else:
        finish(platform)
        print("\nDone: everything is stopped and removed.")
    return 0


@contextlib.contextmanager
def interrupts_by_signal() -> Iterator[None]:
    """A SIGTERM is handled like Ctrl-C: nothing is left running."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def finish(platform: Platform) -> None:
    """Nothing is left behind."""
    platform.stop()
    shutil.rmtree(platform.folder, ignore_errors=True)


def explain(platform: Platform, url: str) -> None:
    """How to use what is left running, and how to stop it."""
    print(f"\nThe platform goes on at {url}; the board is {url}/leaderboard/kin_phase1")
    print(f"To use it from here:  export NSMLCTL_HOME={platform.folder}; {NSMLCTL} ps")
    print(f"To stop and remove:   kill -INT {platform.process.pid}; rm -r {platform.folder}")


def tail(log: Path) -> list[str]:
    """The last lines of a log, each cut to what a terminal shows."""
    return [line[:LOG_WIDTH] for line in log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL:]]


if __name__ == "__main__":
    sys.exit(main())
