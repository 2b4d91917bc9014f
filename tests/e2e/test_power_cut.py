"""`kill -9` while a training runs, then `nsmlctl up` again: nothing lost, nothing twice."""

import os
import signal
import time
from pathlib import Path
from typing import Any

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
    time.sleep(0.02)
print("the end")
"""
LINES = [f"line {step}" for step in range(400)] + ["the end"]
SAVED = {str(step) for step in range(0, 400, 50)}


def start_training(platform: Any, folder: Path) -> str:
    folder.mkdir()
    (folder / "main.py").write_text(PROGRAM)
    name: str = platform.json("run", "main.py", cwd=folder)["name"]
    until = time.monotonic() + 60
    while "line 20\n" not in platform.ctl("logs", name).stdout:
        assert time.monotonic() < until, platform.session(name)
        time.sleep(0.05)
    return name


def check_nothing_is_lost(platform: Any, name: str) -> None:
    session = platform.wait_for(name)
    assert session["state"] == "exited", session
    log = platform.ctl("logs", name).stdout.splitlines()
    assert [line for line in log if line.startswith(("line", "the end"))] == LINES
    checkpoints = platform.json("model", "ls", name)
    names = [row["name"] for row in (checkpoints if isinstance(checkpoints, list) else checkpoints["checkpoints"])]
    assert sorted(names) == sorted(SAVED)


def test_a_training_outlives_its_worker(new_platform: Any, tmp_path: Path) -> None:
    new_platform.up()
    name = start_training(new_platform, tmp_path / "code")
    (worker, *_) = new_platform.worker_pids()
    os.kill(worker, signal.SIGKILL)
    check_nothing_is_lost(new_platform, name)
    assert worker not in new_platform.worker_pids()


def test_a_training_outlives_the_whole_platform(new_platform: Any, tmp_path: Path) -> None:
    new_platform.up()
    name = start_training(new_platform, tmp_path / "code")
    new_platform.kill()
    new_platform.up()
    check_nothing_is_lost(new_platform, name)


def test_a_training_that_ends_while_nobody_looks_is_told_later(new_platform: Any, tmp_path: Path) -> None:
    new_platform.up()
    name = start_training(new_platform, tmp_path / "code")
    new_platform.kill()
    boxes = new_platform.data / "worker/boxes"
    until = time.monotonic() + 60
    while not list(boxes.glob("*/exit")):
        assert time.monotonic() < until, "the box's own parent writes down how it ended"
        time.sleep(0.1)
    new_platform.up()
    check_nothing_is_lost(new_platform, name)
