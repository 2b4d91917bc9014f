"""A program for TensorFlow 1, not changed, on TensorFlow 2 through its v1 mode: the operator maps the name there."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests/programs/tf1/character_level"
EXPECTED = tomllib.loads((PROGRAM / "expect.toml").read_text())

pytestmark = pytest.mark.frameworks


def test_it_trains_submits_and_scores(platform: Any) -> None:
    platform.ctl("dataset", "push", "kin_pairs", str(ROOT / "examples/kin/dataset"), "-l", "--metric", "accuracy")
    platform.ctl("image", "add", "tf1.5", "runtime:tf1-on-2", "--note", "TensorFlow 2 in its v1 mode")
    started = platform.json("run", "-d", "kin_pairs", "main.py", cwd=PROGRAM)
    assert started["notes"][-1] == "TensorFlow 2 in its v1 mode."
    session = platform.wait_for(started["name"])
    log = platform.ctl("logs", started["name"]).stdout
    assert session["state"] == "exited", (session["message"], log[-2000:])
    assert "TensorFlow 2." in log
    submission = platform.json("submit", started["name"])
    assert submission["state"] == "scored", submission
    assert submission["score"] > EXPECTED["submit"]["above"]
    assert not (platform.data / "worker/environments").exists(), "tensorflow is there by the name of tensorflow-cpu"
