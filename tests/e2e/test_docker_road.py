"""The main job once where a Docker engine is: each program in a container, and the worker killed on the way."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = Path(__file__).parents[1] / "programs"
COUNTS = """
import os
import time

for n in range(200):
    print("line", n)
    while n == 30 and not os.path.exists("go"):
        time.sleep(0.01)
    time.sleep(0.01)
"""


@pytest.fixture(scope="module")
def docked(tmp_path_factory: pytest.TempPathFactory, make_platform: Any, runtime_prefix: str) -> Iterator[Any]:
    """A platform that takes the engine by itself."""
    folder = tmp_path_factory.mktemp("docked")
    made = make_platform(folder, NSML_RUNNER="auto", NSML_IMAGE_PREFIX=runtime_prefix, NSML_BOX_DISK=str(2**26))
    tiny = str(PROGRAMS / "datasets/tiny")
    with made.running():
        made.ctl("dataset", "push", "tiny", tiny, "-l", "--metric", "accuracy", "--order", "descending")
        yield made


def test_a_session_is_trained_and_scored_in_containers(docked: Any) -> None:
    name = docked.json("run", "-d", "tiny", "main.py", cwd=PROGRAMS / "cases/answers_right")["name"]
    assert docked.wait_for(name)["state"] == "exited", docked.ctl("logs", name).stdout
    assert docked.json("submit", name)["score"] == 1.0
    assert "docker" in docked.ctl("status").stdout


def test_a_worker_that_is_killed_finds_its_container_again_and_leaves_nothing_of_it(
    docked: Any, tmp_path: Path, docker_engine: Any, wait_until: Any
) -> None:
    (tmp_path / "main.py").write_text(COUNTS)
    name = docked.json("run", "-d", "tiny", "main.py", cwd=tmp_path)["name"]
    wait_until(lambda: "line 30\n" in docked.ctl("logs", name).stdout, lambda: docked.session(name))
    own = {"label": [f"nsml.folder={docked.data / 'worker'}", "nsml.kind=box"]}
    (before,) = docker_engine.containers(filters=own)
    boxes = docked.data / "worker/containers"
    assert list(boxes.iterdir())
    assert str(boxes) in Path("/proc/self/mounts").read_text()
    docked.kill_worker()
    done = docker_engine.exec_create(before["Id"], ["touch", "go"], workdir="/app")
    docker_engine.exec_start(done["Id"])
    assert docker_engine.exec_inspect(done["Id"])["ExitCode"] == 0
    assert docked.wait_for(name)["state"] == "exited"
    assert docked.ctl("logs", name).stdout.splitlines() == [f"line {n}" for n in range(200)]
    # What has ended is told first, and cleaned away then.
    wait_until(lambda: not list(boxes.iterdir()))
    wait_until(lambda: str(boxes) not in Path("/proc/self/mounts").read_text())
    assert docker_engine.containers(all=True, filters=own) == []
