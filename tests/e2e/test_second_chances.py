"""A submit rehearsed before it counts, and a training whose machine was lost: on a real platform, with real programs."""

import json
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = Path(__file__).parents[1] / "programs"
TINY = PROGRAMS / "datasets/tiny"
TRAINING = """
import argparse, os, time
import nsml
parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
config = parser.parse_args()
begin = 0

def save(path):
    with open(os.path.join(path, "model"), "w") as file:
        file.write(str(step))

def load(path):
    global begin
    with open(os.path.join(path, "model")) as file:
        begin = int(file.read()) + 1

nsml.bind(save=save, load=load)
if config.pause:
    nsml.paused(scope=locals())
print("begins at", begin, flush=True)
for step in range(begin, 3 if begin else 10**6):
    if step < 3:
        nsml.save(step)
    time.sleep(0.05)
print("the end", flush=True)
"""


@pytest.fixture(scope="module")
def forgetful(platform: Any) -> str:
    """A session whose program keeps its vocabulary in memory alone, on a dataset that has no sample of its own."""
    platform.ctl("dataset", "push", "tiny", str(TINY), "-l")
    name: str = platform.json("run", "-d", "tiny", cwd=PROGRAMS / "cases/vocabulary_left_in_memory")["name"]
    assert platform.wait_for(name)["state"] == "exited"
    return name


def test_a_forgotten_vocabulary_is_told_alike_in_rehearsal_and_submit_and_the_rehearsal_shows_the_log(
    platform: Any, forgetful: str
) -> None:
    submitted = json.loads(platform.ctl("submit", forgetful, "-j", check=False).stdout)
    rehearsed = json.loads(platform.ctl("submit", "-t", forgetful, "-j", check=False).stdout)
    for answer in (submitted, rehearsed):
        assert (answer["state"], answer["phase"]) == ("failed", "infer")
        assert "exists at submit only if `save` writes it beside the model" in answer["message"]
    assert "NoneType" not in submitted["message"], "what the error said could be a hidden row"
    assert "'NoneType' object is not subscriptable" in rehearsed["message"]
    said = platform.ctl("submit", "-t", forgetful, check=False)
    assert "Traceback (most recent call last)" in said.stdout + said.stderr
    assert "return [(1.0, vocabulary[row]) for row in rows]" in said.stdout + said.stderr
    assert "HIDDEN-ROW" not in said.stdout + said.stderr


def test_a_rehearsal_is_scored_on_the_first_rows_of_train_and_stands_on_no_board(platform: Any, forgetful: str) -> None:
    name = platform.json("run", "-d", "tiny", cwd=PROGRAMS / "cases/answers_right")["name"]
    platform.wait_for(name)
    rehearsed = platform.json("submit", "-t", name)
    assert (rehearsed["state"], rehearsed["score"], rehearsed["rank"]) == ("scored", 1.0, None)
    assert platform.json("dataset", "board", "tiny")["entries"] == []


def test_a_training_goes_on_from_its_last_checkpoint_after_its_machine_was_lost(
    new_platform: Any, tmp_path: Path, wait_until: Any
) -> None:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "main.py").write_text(TRAINING)
    new_platform.up()
    name = new_platform.json("run", cwd=folder)["name"]
    wait_until(lambda: new_platform.session(name)["checkpoints"] >= 2)
    new_platform.cut_power()
    new_platform.up()
    assert new_platform.wait_for(name)["state"] == "exited"
    log = new_platform.ctl("logs", name).stdout
    assert "goes on from checkpoint" in log
    begins = [line for line in log.splitlines() if line.startswith("begins at")]
    assert begins[0] == "begins at 0"
    assert begins[1] in ("begins at 2", "begins at 3")
    assert log.rstrip().endswith("the end")
