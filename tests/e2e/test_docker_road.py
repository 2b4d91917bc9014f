"""The main job once where a Docker engine is: each program in a container, and the worker killed on the way."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = Path(__file__).parents[1] / "programs"
COUNTS = "import time\nfor n in range(200):\n    print('line', n)\n    time.sleep(0.02)\n"


@pytest.fixture(scope="module")
def docked(tmp_path_factory: pytest.TempPathFactory, make_platform: Any, runtime_prefix: str) -> Iterator[Any]:
    """A platform that takes the engine by itself."""
    folder = tmp_path_factory.mktemp("docked")
    running = make_platform(folder, NSML_RUNNER="auto", NSML_IMAGE_PREFIX=runtime_prefix, NSML_BOX_DISK=str(2**26))
    running.up()
    tiny = str(PROGRAMS / "datasets/tiny")
    running.ctl("dataset", "push", "tiny", tiny, "-l", "--metric", "accuracy", "--order", "descending")
    yield running
    running.down()


def test_a_session_is_trained_and_scored_in_containers(docked: Any) -> None:
    name = docked.json("run", "-d", "tiny", "main.py", cwd=PROGRAMS / "cases/answers_right")["name"]
    assert docked.wait_for(name)["state"] == "exited", docked.ctl("logs", name).stdout
    assert docked.json("submit", name)["score"] == 1.0
    assert "docker" in docked.ctl("status").stdout


def test_a_worker_that_is_killed_finds_its_container_again(docked: Any, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(COUNTS)
    name = docked.json("run", "-d", "tiny", "main.py", cwd=tmp_path)["name"]
    while "line 20" not in docked.ctl("logs", name).stdout:
        pass
    for pid in docked.worker_pids():
        os.kill(pid, signal.SIGKILL)
    assert docked.wait_for(name)["state"] == "exited"
    assert docked.ctl("logs", name).stdout.splitlines() == [f"line {n}" for n in range(200)]


def test_nothing_is_left_of_all_that(docked: Any) -> None:
    folder = docked.data / "worker"
    assert not list((folder / "containers").iterdir())
    assert str(folder) not in Path("/proc/self/mounts").read_text()
