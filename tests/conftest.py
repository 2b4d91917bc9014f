"""What holds for every test: no setting of this machine leaks in, and CI skips nothing.

Also the `platform` fixture: a real embedded platform, started as people start it, with `nsmlctl up`.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import docker.api
import docker.errors
import docker.utils
import pytest

from nsml_worker.containers.engine import knock

ROOT = Path(__file__).parents[1]
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
def docker_engine() -> Iterator[Any]:
    """The SDK's low-level client of a real Docker engine. Skips at home, and fails in CI, where none answers."""
    try:
        knock(docker.utils.kwargs_from_env())
        client = docker.api.APIClient(**docker.utils.kwargs_from_env(), version="auto")
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

    def up(self, timeout: float = 60) -> None:
        """Start it and wait until it says it is ready. Raises AssertionError with its log when it does not."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "platform.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "nsmlctl", "up", "--data", str(self.data), "--port", "0"],
                stdout=log, stderr=log, env=self.environment, cwd=self.folder, start_new_session=True,
            )  # fmt: skip
        until = time.monotonic() + timeout
        while self.ctl("status", "-j", check=False).returncode != 0:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.1)

    @property
    def login(self) -> dict[str, Any]:
        """What `nsmlctl up` leaves for the CLI on this machine: url, token, user, pid."""
        return json.loads((self.home / "platform.json").read_text())

    def ctl(
        self, *arguments: str, cwd: Path | None = None, check: bool = True, timeout: float = 180, **environment: str
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

    def wait_for(self, name: str, timeout: float = 120) -> dict[str, Any]:
        """Wait until the session is over; following its log ends when it does."""
        self.ctl("logs", "-f", name, timeout=timeout, check=False)
        return self.session(name)

    def worker_pids(self) -> list[int]:
        """The worker process of this platform: a real process of its own."""
        own = str(self.data)
        pids = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
                environment = (process / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if "nsml_worker" in command and own in environment:
                pids.append(int(process.name))
        return pids

    def kill(self) -> None:
        """Power cut: server and worker at once, without a word. Boxes are left to themselves."""
        for pid in self.worker_pids():
            os.kill(pid, signal.SIGKILL)
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def down(self) -> None:
        """Ctrl-C, twice: running sessions are stopped too."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=30)


@pytest.fixture(scope="session")
def make_platform() -> type[Platform]:
    """For a file that needs a platform of its own making: folder and variables, not started yet."""
    return Platform


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Platform]:
    """One running platform for the tests of a file, which may set variables of it in SETTINGS."""
    running = Platform(tmp_path_factory.mktemp("platform"), **getattr(request.module, "SETTINGS", {}))
    running.up()
    yield running
    running.down()


@pytest.fixture
def new_platform(tmp_path: Path) -> Iterator[Platform]:
    """A platform not started yet, for tests that break it."""
    made = Platform(tmp_path)
    yield made
    made.down()
