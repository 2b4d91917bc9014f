"""An organiser pushes an evaluation that does not work and mends it; nobody submits again. On a real platform, in real boxes."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = Path(__file__).parents[1] / "programs"
TINY = PROGRAMS / "datasets/tiny"
ACCURACY = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--prediction")
parser.add_argument("--test_label_path")
config = parser.parse_args()
told, labels = ([line.strip() for line in open(path)] for path in (config.prediction, config.test_label_path))
"""
BROKEN = ACCURACY + "print('labels begin with', labels[:3])\nraise KeyError('no such column')\n"
WORKS = ACCURACY + "print(sum(map(str.__eq__, told, labels)) / len(labels))\n"
HALF = ACCURACY + "print(0.5)\n"


def push(platform: Any, folder: Path, evaluation: str) -> None:
    (folder / "evaluation.py").write_text(evaluation)
    platform.ctl("dataset", "push", "judged", str(folder), "-l", "-e", "evaluation.py", "--order", "descending", "-f")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "judged"
    shutil.copytree(TINY, folder)
    return folder


def test_a_broken_evaluation_is_mended_without_a_new_submit(platform: Any, dataset: Path) -> None:
    push(platform, dataset, BROKEN)
    name: str = platform.json("run", "-d", "judged", cwd=PROGRAMS / "cases/answers_right")["name"]
    assert platform.wait_for(name)["state"] == "exited"
    failed = platform.ctl("submit", name, "-j", check=False)
    submission = json.loads(failed.stdout)
    assert (submission["state"], submission["reason"]) == ("failed", "evaluation_failed")
    assert "it can be scored again without a new submit" in submission["message"]
    assert "no such column" not in failed.stdout + failed.stderr, "what an evaluation writes may quote a label"

    told = platform.ctl("dataset", "problems", "judged").stdout
    assert "The evaluation ended with exit code 1." in told
    assert "KeyError: 'no such column'" in told
    assert "labels begin with ['0', '1', '1']" in told
    again = platform.ctl("dataset", "rescore", "judged", check=False)
    assert again.returncode == 1, "nothing was mended"

    push(platform, dataset, WORKS)
    done = platform.ctl("dataset", "rescore", "judged")
    assert done.stdout == f"[1/1] Submit {submission['id']} of {name}: 1.0\n"
    (entry,) = platform.json("dataset", "board", "judged")["entries"]
    assert (entry["score"], entry["session"], entry["count"]) == (1.0, name, 1)
    assert len(platform.json("dataset", "board", "judged", "--mine")["entries"]) == 1
    assert "no failure that still stands" in platform.ctl("dataset", "problems", "judged").stdout

    push(platform, dataset, HALF)
    platform.ctl("dataset", "rescore", "judged", "--all")
    (entry,) = platform.json("dataset", "board", "judged")["entries"]
    assert (entry["score"], entry["count"]) == (0.5, 1)

    (dataset / "test/test_data").write_text("other rows\n")
    push(platform, dataset, WORKS)
    refused = platform.ctl("dataset", "rescore", "judged", "--all", check=False)
    assert refused.returncode == 1
    assert "was made from other test inputs (test/test_data changed since)" in refused.stderr
