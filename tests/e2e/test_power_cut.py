"""`kill -9` while a training runs, then `nsmlctl up` again: nothing lost, nothing twice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import os
import time

import nsml


def save(path):
    with open(os.path.join(path, "model"), "w") as out:
        out.write(str(step))


nsml.bind(save=save)
for step in range(400):
    print("line", step, flush=True)
    nsml.report(step=step, loss=1.0 / (step + 1))
    if step % 50 == 0:
        nsml.save(step)
    while step == 30 and not os.path.exists("go"):
        time.sleep(0.01)
    time.sleep(0.01)
print("the end")
"""
LINES = [f"line {step}" for step in range(400)] + ["the end"]
SAVED = {str(step) for step in range(0, 400, 50)}


@pytest.fixture
def training(new_platform: Any, tmp_path: Path, wait_until: Any) -> str:
    """The name of a session whose program waits in the middle until it is told to go on."""
    new_platform.up()
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "main.py").write_text(PROGRAM)
    name: str = new_platform.json("run", "main.py", cwd=folder)["name"]
    wait_until(lambda: "line 30\n" in new_platform.ctl("logs", name).stdout, lambda: new_platform.session(name))
    assert new_platform.session(name)["state"] == "running"
    return name


@pytest.fixture
def go_on(new_platform: Any) -> Callable[[], None]:
    """Tells it, without the platform."""

    def tell() -> None:
        (app,) = (new_platform.data / "worker/boxes").glob("*/app")
        (app / "go").touch()

    return tell


def check_nothing_is_lost(platform: Any, name: str) -> None:
    session = platform.wait_for(name)
    assert session["state"] == "exited", session
    log = platform.ctl("logs", name).stdout.splitlines()
    assert [line for line in log if line.startswith(("line", "the end"))] == LINES
    checkpoints = platform.json("model", "ls", name)
    names = [row["name"] for row in (checkpoints if isinstance(checkpoints, list) else checkpoints["checkpoints"])]
    assert sorted(names) == sorted(SAVED)


def test_a_training_outlives_its_worker(new_platform: Any, training: str, go_on: Any) -> None:
    new_platform.kill_worker()
    go_on()
    check_nothing_is_lost(new_platform, training)


def test_a_training_outlives_the_whole_platform(new_platform: Any, training: str, go_on: Any) -> None:
    new_platform.kill()
    new_platform.up()
    go_on()
    check_nothing_is_lost(new_platform, training)


def test_a_training_that_ends_while_nobody_looks_is_told_later(
    new_platform: Any, training: str, go_on: Any, wait_until: Any
) -> None:
    new_platform.kill()
    go_on()
    boxes = new_platform.data / "worker/boxes"
    wait_until(lambda: list(boxes.glob("*/exit")), lambda: "the box's own parent writes down how it ended")
    new_platform.up()
    check_nothing_is_lost(new_platform, training)
