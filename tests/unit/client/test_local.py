"""`nsmlctl local`: train, submit and score with no server at all. The programs are run for real, in processes of their own."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nsml import _contract
from nsmlctl import local_box
from nsmlctl.__main__ import main
from nsmlctl.workplace import Workplace

Run = Callable[..., Any]
PROGRAMS = Path(__file__).parents[2] / "programs"


@pytest.fixture
def local(place: Workplace, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs one of the programs of tests/programs; what the program itself printed is returned too."""
    data = tmp_path / "tiny"
    shutil.copytree(PROGRAMS / "datasets/tiny", data)
    at_home = place._replace(environ={"PATH": "/usr/bin:/bin"})

    def run(case: str, *words: str) -> Any:
        shutil.copytree(PROGRAMS / "cases" / case, folder, dirs_exist_ok=True)
        code = main(["local", "-d", str(data), *words], at_home)
        return SimpleNamespace(code=code, **capfd.readouterr()._asdict())

    return run


def test_the_road_is_walked_without_a_server(local: Run, platform: Any) -> None:
    outcome = local("answers_right")
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[-2:] == ["Score: 1.0", "Done"]
    assert platform.calls == []


def test_json_is_the_answer_alone(local: Run) -> None:
    answer = json.loads(local("answers_right", "-j").out)
    assert answer == {"checkpoints": ["1"], "metric": "accuracy", "score": 1.0}


@pytest.mark.parametrize(
    ("case", "phase", "more"),
    [
        ("crash_in_training", "Phase train", "the learning rate is negative"),
        ("no_checkpoint", "saved no checkpoint", "nsml.save"),
        ("crash_in_load", "Phase load", "main.py line 20"),
        ("vocabulary_file_forgotten", "Phase load", "only if `save` wrote it"),
        ("vocabulary_left_in_memory", "Phase infer", "only if `save` wrote it"),
        ("paused_never_called", "Phase start", "nsml.paused"),
        ("reserved_arguments_missing", "Phase start", "--mode"),
        ("prediction_of_wrong_length", "Phase score", "17 lines and the test data 20"),
    ],
)
def test_where_it_goes_wrong_is_told_with_the_phase(local: Run, case: str, phase: str, more: str) -> None:
    outcome = local(case)
    assert outcome.code == 1
    told = ("\n" + outcome.err).rpartition("\nError: ")[2]
    assert phase in told
    assert more in told


def test_a_training_sees_no_test_part_and_a_submit_no_training_part(local: Run, folder: Path) -> None:
    (folder / "look.py").write_text(
        "import os, nsml\n"
        "def infer(rows):\n    print('at submit:', sorted(os.listdir(nsml.DATASET_PATH)), sorted(os.listdir(nsml.DATASET_PATH + '/test')))\n"
        "    return [(1, 0) for row in rows]\n"
        "nsml.bind(save=lambda d: open(os.path.join(d, 'm'), 'w').close(), load=print, infer=infer)\n"
        "nsml.paused(scope=locals())\n"
        "print('in training:', sorted(os.listdir(nsml.DATASET_PATH)), nsml.IS_ON_NSML)\nnsml.save('1')\n"
    )
    err = local("answers_right", "-e", "look.py", "-j").err
    assert local("answers_right", "-e", "look.py", "main.py").code == 2
    assert "in training: ['data_loader.py', 'train'] True" in err
    assert "at submit: ['data_loader.py', 'test'] ['test_data']" in err


def test_the_sample_for_rehearsals_comes_before_the_test(local: Run, tmp_path: Path) -> None:
    sample = tmp_path / "tiny" / "test_submit"
    sample.mkdir()
    (sample / "test_data").write_text("one two three\tx\n")
    outcome = local("answers_right")
    assert outcome.code == 0
    assert "1 lines of prediction" in outcome.err
    assert "no labels" in outcome.err


def test_an_evaluation_that_opens_the_platform_s_path_finds_this_machine_s(local: Run, tmp_path: Path) -> None:
    (tmp_path / "tiny/evaluation.py").write_text(
        "import argparse\np = argparse.ArgumentParser(); p.add_argument('--prediction'); a = p.parse_args()\n"
        "print(len(open('/data/tiny/test/test_label').readlines()) + len(open(a.prediction).readlines()) / 100)\n"
    )
    assert "Score: 20.2\n" in local("answers_right").out


def test_nothing_is_left_behind_unless_asked_for(local: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    local("answers_right")
    assert not list(tmp_path.glob("nsml-local-*"))
    outcome = local("answers_right", "--keep")
    (root,) = tmp_path.glob("nsml-local-*")
    assert str(root) in outcome.err
    assert (root / "submit/home/out/prediction").is_file()


@pytest.mark.parametrize(
    ("missing", "sentence"), [("test", "test_submit/test_data"), ("data_loader.py", "data_loader.py")]
)
def test_what_the_dataset_lacks_is_told_before_the_training(
    local: Run, tmp_path: Path, missing: str, sentence: str
) -> None:
    (tmp_path / "tiny" / missing).rename(tmp_path / "elsewhere")
    outcome = local("crash_in_training")
    assert outcome.code == 2
    assert sentence in outcome.err


def test_a_python_that_is_not_there_is_told(local: Run) -> None:
    outcome = local("answers_right", "--python", "python0.9")
    assert outcome.code == 2
    assert "no Python 'python0.9'" in outcome.err


def test_a_checkpoint_that_was_not_saved_is_exit_code_4(local: Run) -> None:
    outcome = local("answers_right", "-c", "best")
    assert outcome.code == 4
    assert "It saved: 1." in outcome.err


def test_the_names_in_a_box_are_those_of_the_contract() -> None:
    contract = {value for name, value in vars(_contract).items() if name.startswith("ENV_")}
    assert set(local_box.NAMES.values()) <= contract
    folders = (local_box.CHECKPOINTS, local_box.CHECKPOINT, local_box.LOADER_FOLDER, local_box.OUT)
    assert folders == (_contract.CHECKPOINTS, _contract.CHECKPOINT, _contract.LOADER, _contract.OUT)
    assert (local_box.PREDICTION, local_box.SCORE) == (_contract.PREDICTION, _contract.SCORE)


def test_the_sdk_and_the_scorer_are_found_without_importing_them() -> None:
    assert (local_box.find_sdk() / "_contract.py").is_file()
    scorer = local_box.find_scorer()
    assert scorer is not None
    assert scorer.name == "score.py"


def test_another_package_of_the_name_is_not_taken_for_the_sdk(
    local: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = tmp_path / "site" / "nsml"
    stub.mkdir(parents=True)
    (stub / "__init__.py").touch()
    spec = local_box.importlib.util.spec_from_file_location("nsml", stub / "__init__.py")
    monkeypatch.setattr(local_box.importlib.util, "find_spec", lambda name: spec)
    outcome = local("answers_right")
    assert outcome.code == 1
    assert "pip install" in outcome.err
