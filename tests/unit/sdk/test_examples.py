"""The sample competition: its data, and its programs in a box from training to prediction."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"
DATASET = EXAMPLES / "kin" / "dataset"
FORGOTTEN = 'pickle.dump(state["vocabulary"], file)'


def read_pairs(part: str) -> list[tuple[str, ...]]:
    lines = (DATASET / part / f"{part}_data").read_text(encoding="utf-8").splitlines()
    return [tuple(line.split("\t")) for line in lines]


def read_labels(part: str) -> list[str]:
    return (DATASET / part / f"{part}_label").read_text().splitlines()


def train(box: Any, example: str, *, without: str = "") -> None:
    """Put an example into the box, train it as a session does and lay out its last checkpoint for predict."""
    data = box.root / "data" / "kin"
    shutil.copytree(DATASET / "train", data / "train")
    program = (EXAMPLES / example / "main.py").read_text(encoding="utf-8").replace(without or "\0", "pass")
    (box.app / "program.py").write_text(program, encoding="utf-8")
    box.run("import program\nprogram.main()")
    shutil.rmtree(data / "train")
    shutil.copytree(DATASET / "test", data / "test", ignore=shutil.ignore_patterns("test_label"))
    box.prepare_submit("10")
    box.write_loader((DATASET / "data_loader.py").read_text(encoding="utf-8"))


SUBMIT = "import program, sys\nsys.argv += ['--mode', 'test', '--pause', '1']\nprogram.main()"


def test_the_generator_writes_the_committed_bytes_again(tmp_path: Path) -> None:
    subprocess.run([sys.executable, EXAMPLES / "kin" / "make_dataset.py", tmp_path], check=True, timeout=60)
    for part in ("train", "test"):
        for name in (f"{part}/{part}_data", f"{part}/{part}_label"):
            assert (tmp_path / name).read_bytes() == (DATASET / name).read_bytes()


def test_the_data_is_balanced_and_no_hidden_pair_is_in_training() -> None:
    for part, count in (("train", 2000), ("test", 400)):
        pairs, labels = read_pairs(part), read_labels(part)
        assert (len(pairs), len(labels), {len(pair) for pair in pairs}) == (count, count, {2})
        assert 0.44 < labels.count("1") / count < 0.56
        assert set(labels) == {"0", "1"}
    assert not set(read_pairs("train")) & set(read_pairs("test"))


@pytest.mark.parametrize(
    ("example", "least"),
    [
        ("kin", 0.8),
        pytest.param("kin_torch", 0.75, marks=pytest.mark.frameworks),
        pytest.param("kin_tensorflow", 0.7, marks=pytest.mark.frameworks),
    ],
)
def test_an_example_learns_and_predicts_well_above_chance(box: Any, example: str, least: float) -> None:
    train(box, example)
    box.run(SUBMIT)
    answers = box.prediction.read_text().splitlines()
    labels = read_labels("test")
    assert len(answers) == len(labels)
    assert sum(a == b for a, b in zip(answers, labels, strict=True)) / len(labels) > least


def test_an_example_that_forgets_its_vocabulary_cannot_be_scored(box: Any) -> None:
    train(box, "kin", without=FORGOTTEN)
    box.run(SUBMIT, fails=True)
    (error,) = box.read_journal("error")
    assert (error["phase"], error["type"], error["organiser"]) == ("load", "EOFError", False)
    assert Path(error["frames"][-1][0]) == box.app / "program.py"
    assert "vocabulary" in json.dumps((box.app / "program.py").read_text().splitlines()[error["frames"][-1][1] - 1])
