"""An engine that is restarted takes its containers with it: that is nobody's fault but ours."""

import gc
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker.api
import psutil
import pytest

from nsml_worker.contract import EndReason
from nsml_worker.memory_server import SECONDS

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start an engine")
SLEEP = "import time; print('here'); time.sleep(600)"
POLITE = "import signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(0))\nprint('here')\ntime.sleep(600)"


class OwnEngine:
    """A dockerd of the test's own: restarting it disturbs nobody."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = f"unix://{folder}/docker.sock"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once it answers."""
        words = [  # in a network of its own: an engine told to have no bridge takes docker0 away from the machine's
            "unshare",
            "--net",
            "dockerd",
            "--data-root",
            f"{self.folder}/data",
            "--exec-root",
            f"{self.folder}/exec",
            "--host",
            self.host,
        ]
        words += ["--pidfile", f"{self.folder}/pid", "--bridge", "none", "--iptables=false", "--ip-masq=false"]
        with (self.folder / "log").open("ab") as said:
            self.process = subprocess.Popen(words, stdout=said, stderr=said, start_new_session=True)
        until = time.monotonic() + SECONDS
        while not self.answers():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < until, (self.folder / "log").read_text()
            time.sleep(0.05)

    def answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as way:
            way.settimeout(10)
            try:
                way.connect(f"{self.folder}/docker.sock")
                way.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                return b" 200 " in way.recv(64)
            except OSError:
                return False

    def stop(self) -> None:
        """As an upgrade does it."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(SECONDS)
        finally:
            self.process.kill()


@pytest.fixture(scope="module")
def own_engine(docker_engine: Any, runtime_prefix: str) -> Iterator[OwnEngine]:
    folder = Path(tempfile.mkdtemp(prefix="nsml-engine-"))
    engine = OwnEngine(folder)
    try:
        engine.start()
        client = docker.api.APIClient(engine.host, version="auto", timeout=SECONDS)
        client.load_image(docker_engine.get_image(f"{runtime_prefix}runtime-default:latest"), quiet=True)
        client.close()
        yield engine
    finally:
        remove(engine)


def remove(engine: OwnEngine) -> None:
    """Leave nothing of it here."""
    folder = engine.folder
    if engine.process is not None and engine.process.poll() is None:
        engine.stop()
    for process in psutil.process_iter(["cmdline"]):  # what an engine that was killed has forgotten
        if str(folder) in " ".join(process.info["cmdline"] or ()):
            process.kill()
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        if line.split()[1].startswith(str(folder)):
            subprocess.run(["umount", "--lazy", line.split()[1]], check=True)
    shutil.rmtree(folder)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("program", [SLEEP, POLITE])
def test_a_box_under_an_engine_that_is_restarted_is_lost(
    docker_site: Any, own_engine: OwnEngine, wait_until: Callable[..., None], program: str
) -> None:
    docker_site.use_engine(own_engine.host)
    box, worker = docker_site.offer(program), docker_site.start_worker()
    worker.take(1, "run-secret-canary")
    docker_site.wait_for_output(1, b"here\n")
    own_engine.stop()
    gc.collect()  # the SDK leaves the socket of a connection that was refused to the garbage collector
    own_engine.start()
    assert docker_site.memory.wait_for_end(box).reason is EndReason.BOX_LOST
    wait_until(lambda: docker_site.list_rest() == [])
    assert docker_site.finish("print('again')", run_id=2)[0].reason is EndReason.EXITED
    wait_until(lambda: docker_site.list_rest() == [])
    gc.collect()
