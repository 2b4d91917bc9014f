"""docker-compose.yml started for real: the road of `make demo` through it, with two machines, of which one dies in the middle."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
COMPOSE = (
    ["docker", "compose"]
    if shutil.which("docker") and not subprocess.run(["docker", "compose", "version"], capture_output=True).returncode
    else ["docker-compose"]
)
PREFIX = "nsml-e2e/"
# The runtime as it is, less its frameworks: what is tried here needs none of them, and they are gigabytes.
LIGHT = "--build-arg TORCH= --build-arg TORCH_INDEX= --build-arg TENSORFLOW=tqdm"
PROGRAM = """
import os
import time
print("begun", flush=True)
while not os.path.exists("enough"):
    time.sleep(0.05)
print("finished", flush=True)
"""

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a shared folder needs root"),
]


def own_address() -> str:
    """This machine as its containers and other machines see it: the source address of its default route. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as towards:
        towards.connect(("192.0.2.1", 9))
        return str(towards.getsockname()[0])


def do(*command: str, timeout: float = 600, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=timeout
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


class Deployment:
    """The four services, a second machine, and an administrator's `nsmlctl`."""

    def __init__(self, folder: Path, free_port: Callable[[str], int], wait_until: Callable[..., Any]) -> None:
        self.folder, self.project, self.wait_until = folder, f"nsml-e2e-{os.getpid()}", wait_until
        self.first, self.second = f"{self.project}-a", f"{self.project}-b"
        self.url = f"http://127.0.0.1:{free_port('127.0.0.1')}"
        address = own_address()
        broker = f"{address}:{free_port(address)}"
        self.environment = {
            "NSML_IMAGE": f"{PREFIX}platform:latest",
            "NSML_IMAGE_PREFIX": PREFIX,
            "NSML_SECRETS": str(folder / "secrets"),
            "NSML_WORKER_DATA": str(folder / "first"),
            "NSML_NODE": self.first,
            "NSML_BIND": self.url.removeprefix("http://"),
            "NSML_BROKER_BIND": broker,
            "NSML_BROKER_ADDRESS": broker,
            "NSML_PUBLIC_URL": self.url,
        }
        self.login: dict[str, str] = {}
        self.other: subprocess.Popen[bytes] | None = None

    def compose(self, *words: str) -> str:
        return do(*COMPOSE, "-p", self.project, *words, **self.environment)

    def up(self) -> None:
        do("docker/secrets.sh", str(self.folder / "secrets"))
        self.compose("up", "-d")
        token = self.compose("exec", "-T", "server", "python", "-m", "nsml_server.admin", "mina").strip()
        self.login = {"NSML_SERVER": self.url, "NSML_TOKEN": token}

    def join(self) -> None:
        """A second machine, as somebody adds one."""
        token = json.loads(self.ctl("node", "add", self.second, "-j"))["token"]
        words = ["worker", "--server", self.url, "--join", token, "--name", self.second]
        with (self.folder / "second.log").open("wb") as log:
            self.other = subprocess.Popen(
                [sys.executable, "-m", "nsmlctl", *words, "--data", str(self.folder / "second")],
                env={**os.environ, "NSML_RUNNER": "docker", "NSML_IMAGE_PREFIX": PREFIX},
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def ctl(self, *words: str, cwd: Path = ROOT) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "nsmlctl", *words],
            cwd=cwd, env={**os.environ, **self.login}, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, f"nsmlctl {' '.join(words)}\n{done.stdout}{done.stderr}\n{self.logs()}"
        return done.stdout

    def logs(self) -> str:
        told = self.compose("logs", "--tail", "30", "server", "worker")
        other = self.folder / "second.log"
        return told + (other.read_text()[-3000:] if other.exists() else "")

    def alive(self) -> set[str]:
        return {node["name"] for node in json.loads(self.ctl("node", "ls", "-j"))["nodes"] if node["alive"]}

    def session(self, name: str) -> dict[str, Any]:
        sessions = json.loads(self.ctl("ps", "-a", "-j"))["sessions"]
        return next(session for session in sessions if session["name"] == name)

    def boxes(self, *nodes: str) -> list[str]:
        """The containers of these machines' boxes."""
        found = (do("docker", "ps", "-aq", "--filter", f"label=nsml.node={node}").split() for node in nodes)
        return [box for boxes in found for box in boxes]

    def wait(self, what: str, check: Callable[[], Any]) -> None:
        def look() -> Any:
            assert self.other is None or self.other.poll() is None, self.logs()
            return check()

        self.wait_until(look, lambda: f"{what} did not come\n{self.logs()}")

    def down(self) -> None:
        if self.other is not None:
            self.other.kill()
            self.other.wait()
        try:
            self.compose("down", "-v", "--timeout", "5")
        finally:
            if boxes := self.boxes(self.first, self.second):
                do("docker", "rm", "-fv", *boxes)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Mounted so that a disk which the worker's container mounts below is seen by the engine, as on most machines all folders are."""
    path = Path("/var/tmp") / f"nsml-e2e-{os.getpid()}"
    path.mkdir(mode=0o711)
    try:
        do("mount", "--bind", str(path), str(path))
        do("mount", "--make-shared", str(path))
        yield path
    finally:
        for mounted in sorted(re.findall(rf" ({path}\S*) ", Path("/proc/self/mountinfo").read_text()), reverse=True):
            do("umount", mounted)
        shutil.rmtree(path)


@pytest.fixture(scope="module")
def deployment(docker_engine: Any, folder: Path, free_port: Any, wait_until: Any) -> Iterator[Deployment]:
    do("tests/stand_ins/make.sh", timeout=900)
    build = "docker build --quiet --network host"
    do("docker/images.sh", "default", timeout=900, PREFIX=PREFIX, EXTRA=LIGHT, BUILD=build, DOCKER_BUILDKIT="0")
    made = Deployment(folder, free_port, wait_until)
    try:
        made.up()
        made.join()
        made.wait("two machines", lambda: made.alive() == {made.first, made.second})
        yield made
    finally:
        made.down()


def test_the_road_goes_through_the_compose_file(deployment: Deployment) -> None:
    push = ("dataset", "push", "kin_phase1", "examples/kin/dataset", "-l", "--metric", "accuracy")
    deployment.ctl(*push, "--order", "descending")
    code = ROOT / "examples" / "kin"
    deployment.ctl("run", "-d", "kin_phase1", "main.py", cwd=code)
    assert "epoch 10/10" in deployment.ctl("logs", "-f", "session/1", cwd=code)
    assert "accuracy" in deployment.ctl("model", "ls", "session/1", cwd=code)
    deployment.ctl("submit", "session/1", cwd=code)
    (entry,) = json.loads(deployment.ctl("dataset", "board", "kin_phase1", "-j"))["entries"]
    assert entry["owner"] == "mina"
    assert entry["score"] > 0.5
    assert deployment.session("mina/kin_phase1/1")["status"] == "Exited"


def test_a_run_whose_machine_dies_finishes_once_on_the_other(deployment: Deployment, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(PROGRAM)
    deployment.ctl("node", "drain", deployment.second)
    name = json.loads(deployment.ctl("run", "main.py", "-j", cwd=tmp_path))["name"]
    deployment.wait("a start", lambda: "begun" in deployment.ctl("logs", name))
    deployment.compose("kill", "worker")
    deployment.ctl("node", "drain", "--undo", deployment.second)
    deployment.wait("a second start", lambda: deployment.ctl("logs", name).count("begun") == 2)
    deployment.wait("the end of all others", lambda: len(deployment.boxes(deployment.second)) == 1)
    (box,) = deployment.boxes(deployment.second)
    do("docker", "exec", box, "touch", "enough")
    deployment.wait("the end", lambda: deployment.session(name)["final"])
    assert deployment.session(name)["status"] == "Exited"
    told = deployment.ctl("logs", name)
    assert told.count("begun") == 2, told
    assert told.count("finished") == 1, told

    deployment.compose("up", "-d", "worker")
    deployment.wait("its return", lambda: deployment.alive() == {deployment.first, deployment.second})
    deployment.wait("the first machine's box to go", lambda: not deployment.boxes(deployment.first))
    assert deployment.ctl("logs", name) == told
    assert deployment.session(name)["status"] == "Exited"


def test_a_join_token_lets_one_machine_in_once(deployment: Deployment, tmp_path: Path) -> None:
    token = json.loads(deployment.ctl("node", "add", "-j"))["token"]
    for taken in (deployment.first, deployment.second):  # both are here, so their names are not to be had
        done = subprocess.run(
            [sys.executable, "-m", "nsmlctl", "worker", "--server", deployment.url, "--join", token, "--name", taken],
            cwd=tmp_path, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        assert done.returncode != 0
        assert "is here already" in done.stderr
    assert deployment.compose("exec", "-T", "worker", "nsmlctl", "worker", "--check").strip().endswith("is alive")


def test_secrets_show_in_no_list_of_processes_and_in_no_environment(deployment: Deployment) -> None:
    secrets = [path.read_text() for path in (deployment.folder / "secrets").iterdir()]
    for service in ("postgres", "redis", "server", "worker"):
        container = deployment.compose("ps", "-q", service).strip()
        told = do("docker", "inspect", container) + do("docker", "top", container, "-eo", "pid,args")
        assert not [secret for secret in secrets if secret in told], service
