"""What holds for every test: no setting of this machine leaks in, and CI skips nothing.

Also the `platform` fixture: a real embedded platform, started as people start it, with `nsmlctl up`.
"""

import contextlib
import datetime
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import docker.api
import docker.errors
import docker.utils
import hypothesis
import pytest

from nsml_worker.containers.engine import knock

ROOT = Path(__file__).parents[1]
PATIENCE = 180.0  # seconds for whatever normally comes at once: the machine may be busy with much else
GOING = 90.0  # seconds a platform has to stop what runs, and to go
PORTS = 20_000  # the first we take, below those that the kernel gives to connections
PORTS_EACH = 1_000  # of one process of a test run that is divided among several
RUNTIMES = Path.home() / ".cache/nsmlctl/runtimes"
RECIPES = ROOT / "docker/runtimes"
ON_CI = os.environ.get("CI") == "true"
NEEDS = {
    "browser": lambda: shutil.which("chromium") is not None,
    "redis": lambda: shutil.which("redis-server") is not None,
    "postgres": lambda: any(Path("/usr/lib/postgresql").glob("*/bin/initdb")),
    "runtimes": lambda: all((RUNTIMES / path.stem / ".ready").exists() for path in RECIPES.glob("*.txt")),
    "frameworks": lambda: find_spec("torch") is not None and find_spec("tensorflow") is not None,
}
HINTS = {
    "browser": "apt-get install chromium",
    "redis": "apt-get install redis-server",
    "postgres": "apt-get install postgresql",
    "frameworks": "make frameworks",
    "runtimes": "make runtimes",
}

for name in [name for name in os.environ if name.startswith(("NSML_", "NSMLCTL_"))]:
    del os.environ[name]

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")

Found = TypeVar("Found")


def wait_until_found(look: Callable[[], Found], about: Callable[[], object] = lambda: "it did not come") -> Found:
    """What `look` finds, once that is something: for what nobody announces. Raises AssertionError with `about`."""
    until = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < until, about()
        time.sleep(0.05)
    return found


def list_processes(mark: str) -> Iterator[tuple[int, list[str]]]:
    """Number and command line of each process that has `mark` in its command line or its environment."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            environment = (process / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if mark in command or mark in environment:
            yield int(process.name), command.split("\0")


def end_at_once(pids: Iterable[int]) -> None:
    """None of them notices that another one ends: all are halted before any is killed."""
    pids = list(pids)
    for how in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)


def connect_to_docker() -> Any:
    """The SDK's low-level client, by the environment's own settings."""
    return docker.api.APIClient(**docker.utils.kwargs_from_env(), version="auto", timeout=PATIENCE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """At home a test whose service is missing is skipped; on CI it runs, and fails."""
    missing = {name for name, present in NEEDS.items() if not present()}
    for item in items:
        for name in missing & {mark.name for mark in item.iter_markers()}:
            if not ON_CI:
                item.add_marker(pytest.mark.skip(reason=f"{name} is missing here: {HINTS[name]}"))


@pytest.fixture(autouse=True)
def nobody_is_logged_in(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each test has a client folder of its own, so that no platform of this machine is ever spoken to."""
    home = tmp_path_factory.mktemp("nsmlctl-home")
    monkeypatch.setenv("NSMLCTL_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def patience() -> float:
    """Seconds to wait for whatever normally comes at once."""
    return PATIENCE


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., Any]:
    """See wait_until_found."""
    return wait_until_found


@pytest.fixture(scope="session")
def free_port() -> Callable[[str], int]:
    """For a program that has to be told its port: each call finds another one, at which nobody listens."""
    begin = PORTS + PORTS_EACH * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    ports = iter(range(begin, begin + PORTS_EACH))

    def find(host: str) -> int:
        for port in ports:
            with socket.socket() as listener, contextlib.suppress(OSError):
                listener.bind((host, port))
                return port
        raise AssertionError("no port is free")

    return find


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Any]:
    """The SDK's low-level client of a real Docker engine. Skips at home, and fails in CI, where none answers."""
    try:
        knock(docker.utils.kwargs_from_env())
        client = connect_to_docker()
    except (docker.errors.DockerException, OSError) as error:
        if ON_CI:
            raise
        pytest.skip(f"no Docker engine answers here: {error}")
    yield client
    client.close()


@pytest.fixture(scope="session")
def base_image(docker_engine: Any) -> str:
    """The image that stands in for Docker Hub's `python:3.11-slim-bookworm` on this engine."""
    name = "python:3.11-slim-bookworm"
    if not docker_engine.images(name):
        subprocess.run([ROOT / "tests/stand_ins/base.sh", name], check=True)
    return name


@pytest.fixture(scope="session")
def runtime_prefix(docker_engine: Any, base_image: str) -> Iterator[str]:
    """Below this prefix the stand-in is the platform's default runtime: Python and nothing else."""
    prefix = f"nsml-test-{os.getpid()}/"
    docker_engine.tag(base_image, f"{prefix}runtime-default", "latest")
    yield prefix
    docker_engine.remove_image(f"{prefix}runtime-default:latest")


class Platform:
    """`nsmlctl up` in a folder of its own, and `nsmlctl` as its user types it."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.home = folder / "home"
        # Processes, unless a test wants containers: an engine of this machine is no part of the other tests.
        own = {"NSMLCTL_HOME": str(self.home), "NSML_USER": "mina", "NSML_RUNNER": "process", "NSML_RUNTIMES": ""}
        self.environment = {**os.environ, **own, **environment}
        self.process: subprocess.Popen[bytes] | None = None

    @contextlib.contextmanager
    def running(self) -> Iterator["Platform"]:
        """It is up, and whatever happens nothing of it is left afterwards."""
        try:
            self.up()
            yield self
        finally:
            self.down()

    def up(self) -> None:
        """Start it and wait until its worker has said hello. Raises AssertionError with its log when it does not."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "platform.log"
        begun = datetime.datetime.now(datetime.UTC)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "nsmlctl", "up", "--data", str(self.data), "--port", "0"],
                stdout=log, stderr=log, env=self.environment, cwd=self.folder, start_new_session=True,
            )  # fmt: skip
        wait_until_found(lambda: self.has_heard_its_worker(begun), self.log.read_text)

    def has_heard_its_worker(self, since: datetime.datetime) -> bool:
        """Not of an earlier one: its row is still there."""
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        listed = self.ctl("node", "ls", "-j", check=False)
        nodes = json.loads(listed.stdout)["nodes"] if listed.returncode == 0 else []
        return any(node["alive"] and datetime.datetime.fromisoformat(node["seen_at"]) >= since for node in nodes)

    @property
    def login(self) -> dict[str, Any]:
        """What `nsmlctl up` leaves for the CLI on this machine: url, token, user, pid."""
        return json.loads((self.home / "platform.json").read_text())

    def ctl(
        self,
        *arguments: str,
        cwd: Path | None = None,
        check: bool = True,
        timeout: float = PATIENCE,
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:
        """Type `nsmlctl ARGUMENTS`."""
        done = subprocess.run(
            [sys.executable, "-m", "nsmlctl", *arguments],
            capture_output=True, text=True, timeout=timeout, cwd=cwd or self.folder,
            env={**self.environment, **environment}, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if check:
            assert done.returncode == 0, f"nsmlctl {' '.join(arguments)}\n{done.stdout}{done.stderr}"
        return done

    def json(self, *arguments: str, cwd: Path | None = None, check: bool = True) -> Any:
        """The same with -j, parsed."""
        return json.loads(self.ctl(*arguments, "-j", cwd=cwd, check=check).stdout)

    def session(self, name: str) -> dict[str, Any]:
        """The session's row as `nsmlctl ps -a -j` shows it."""
        rows = self.json("ps", "-a", "-n", "1000")
        return next(row for row in (rows if isinstance(rows, list) else rows["sessions"]) if row["name"] == name)

    def wait_for(self, name: str, timeout: float = PATIENCE) -> dict[str, Any]:
        """Wait until the session is over; following its log ends when it does."""
        self.ctl("logs", "-f", name, timeout=timeout, check=False)
        return self.session(name)

    def worker_pids(self) -> list[int]:
        """The worker process of this platform: a real process of its own."""
        return [pid for pid, command in list_processes(str(self.data)) if "nsml_worker" in command]

    def kill_worker(self) -> None:
        """It ends without a word; the server starts another one."""
        end_at_once(self.worker_pids())

    def kill(self) -> None:
        """Server and worker end at once, without a word. Boxes are left to themselves."""
        assert self.process is not None
        end_at_once([self.process.pid, *self.worker_pids()])
        self.process.wait()

    def cut_power(self) -> None:
        """Server, worker and every process of a box end at once, without a word."""
        while left := [pid for pid, _ in list_processes(str(self.data))]:
            end_at_once(left)
        if self.process is not None:
            self.process.wait()

    def down(self) -> None:
        """Ctrl-C, twice: running sessions are stopped too. What does not go by itself is killed."""
        try:
            if self.process is not None and self.process.poll() is None:
                self.wait_for_containers()
                for way in (signal.SIGINT, signal.SIGTERM):  # mean the same, but two alike may arrive as one
                    self.process.send_signal(way)
                self.process.wait(GOING)
        finally:
            self.cut_power()
            self.clear_engine()

    def wait_for_containers(self) -> None:
        """A session that has ended is told so first, and then its container and its disk are removed."""
        boxes = self.data / "worker/containers"
        wait_until_found(lambda: not boxes.exists() or not list(boxes.iterdir()), lambda: list(boxes.iterdir()))

    def clear_engine(self) -> None:
        """The containers that a worker which was killed has left, and the images that were built for this platform."""
        if not (self.data / "worker/containers").exists():
            return
        own = {"label": f"nsml.folder={self.data / 'worker'}"}
        with contextlib.closing(connect_to_docker()) as engine:
            for left in engine.containers(all=True, filters=own):
                engine.remove_container(left["Id"], v=True, force=True)
            for image in engine.images(filters=own):
                engine.remove_image(image["Id"], force=True)


@pytest.fixture(scope="session")
def make_platform() -> type[Platform]:
    """For a file that needs a platform of its own making: folder and variables, not started yet."""
    return Platform


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Platform]:
    """One running platform for the tests of a file, which may set variables of it in SETTINGS."""
    made = Platform(tmp_path_factory.mktemp("platform"), **getattr(request.module, "SETTINGS", {}))
    with made.running():
        yield made


@pytest.fixture
def new_platform(tmp_path: Path) -> Iterator[Platform]:
    """A platform not started yet, for tests that break it."""
    made = Platform(tmp_path)
    try:
        yield made
    finally:
        made.down()
