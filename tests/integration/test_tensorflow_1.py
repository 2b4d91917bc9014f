"""A program of 2018 on the framework of 2018: TensorFlow 1.5.0 under Python 3.6, through the whole platform."""

import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests/programs/tf1/character_level"
EXPECTED = tomllib.loads((PROGRAM / "expect.toml").read_text())
PYTHON = Path.home() / ".cache/nsmlctl-tf15/bin/python"

pytestmark = pytest.mark.tf1


@pytest.fixture(scope="module")
def trained(platform: Any) -> str:
    """The session of the program, on a platform whose operator has mapped `tf1` to the genuine one."""
    platform.ctl("dataset", "push", "kin_pairs", str(ROOT / "examples/kin/dataset"), "-l", "--metric", "accuracy")
    platform.ctl("image", "add", "tf1", f"python:{PYTHON}")
    name: str = platform.json("run", "-d", "kin_pairs", "main.py", cwd=PROGRAM)["name"]
    return name


def test_it_trains_on_the_interpreter_that_its_image_means(platform: Any, trained: str) -> None:
    session = platform.wait_for(trained)
    log = platform.ctl("logs", trained).stdout
    assert session["state"] == EXPECTED["train"]["state"], (session["message"], log[-2000:])
    assert all(fragment in log for fragment in EXPECTED["train"]["log"])
    assert session["image"] == "nsml/default_ml:tf-1.4.1"


def test_it_is_submitted_with_its_pickled_vocabulary_and_scores(platform: Any, trained: str) -> None:
    submission = platform.json("submit", trained)
    assert submission["state"] == EXPECTED["submit"]["state"], submission
    assert submission["score"] > EXPECTED["submit"]["above"]


def test_what_is_installed_already_is_not_installed_again(platform: Any, trained: str) -> None:
    assert not (platform.data / "worker/environments").exists()


def test_a_package_is_installed_over_the_old_interpreter_once(platform: Any, tmp_path: Path) -> None:
    """`idna` is small, pure and on every index; TensorFlow is seen beside it."""
    (tmp_path / "requirements.txt").write_text("#nsml: tf1\nidna==3.7\n")
    (tmp_path / "main.py").write_text("import idna, tensorflow\nprint(idna.__version__, tensorflow.__version__)\n")
    seconds = []
    for _ in range(2):
        began = time.monotonic()
        name = platform.json("run", "main.py", cwd=tmp_path)["name"]
        session = platform.wait_for(name)
        seconds.append(time.monotonic() - began)
        assert session["state"] == "exited", (session["message"], platform.ctl("logs", name).stdout)
        assert "3.7 1.5.0" in platform.ctl("logs", name).stdout
    assert len(list((platform.data / "worker/environments").glob("*.json"))) == 1
    assert seconds[1] < seconds[0]
