"""The program of a score run, by itself: it must run without anything of ours beside it."""

import json
import math
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from sklearn import metrics

from nsml_worker import score


@pytest.fixture
def judge(tmp_path: Path) -> Any:
    """Score a prediction against labels; what score.json says."""
    (tmp_path / "out").mkdir()

    def run(
        label: str | bytes, prediction: str | bytes, metric: str = "accuracy", evaluation: str | None = None
    ) -> Any:
        for name, content in (("label", label), ("prediction", prediction)):
            (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        words = ["--metric", metric, "--label", str(tmp_path / "label"), "--prediction", str(tmp_path / "prediction")]
        if evaluation is not None:
            (tmp_path / "evaluation.py").write_text(evaluation)
            words += ["--evaluation", str(tmp_path / "evaluation.py")]
        done = subprocess.run(
            [sys.executable, score.__file__, *words],
            env={"NSML_HOME": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        return json.loads((tmp_path / "out/score.json").read_text())

    return run


LABELS = ["1", "0", "1", "1", "0", "0"]
CLASSES = ["1", "0", "0", "1", "1", "0"]
NUMBERS = ["0.9", "0.2", "0.4", "0.8", "0.6", "0.1"]


@pytest.mark.parametrize(
    ("metric", "prediction", "expected"),
    [
        ("accuracy", CLASSES, metrics.accuracy_score(LABELS, CLASSES)),
        ("f1", CLASSES, metrics.f1_score(LABELS, CLASSES, average="macro")),
        ("mse", NUMBERS, metrics.mean_squared_error([*map(float, LABELS)], [*map(float, NUMBERS)])),
        ("rmse", NUMBERS, math.sqrt(metrics.mean_squared_error([*map(float, LABELS)], [*map(float, NUMBERS)]))),
        ("mae", NUMBERS, metrics.mean_absolute_error([*map(float, LABELS)], [*map(float, NUMBERS)])),
        ("r2", NUMBERS, metrics.r2_score([*map(float, LABELS)], [*map(float, NUMBERS)])),
        ("auc", NUMBERS, metrics.roc_auc_score(LABELS, [*map(float, NUMBERS)])),
        ("log_loss", NUMBERS, metrics.log_loss(LABELS, [*map(float, NUMBERS)])),
    ],
)
def test_a_metric_is_what_scikit_learn_says(judge: Any, metric: str, prediction: list[str], expected: float) -> None:
    answer = judge("\n".join(LABELS) + "\n", "\n".join(prediction), metric)
    assert answer["score"] == pytest.approx(float(expected), abs=1e-12)


def test_probabilities_for_each_class_may_stand_in_one_line(judge: Any) -> None:
    rows = [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]]
    text = "\n".join(",".join(map(str, row)) for row in rows)
    assert judge("0\n1\n2\n", text, "log_loss")["score"] == pytest.approx(metrics.log_loss([0, 1, 2], rows))


def test_a_number_is_the_same_class_however_it_is_written(judge: Any) -> None:
    assert judge("1\n0\n", "1.0\n0.0\n")["score"] == 1.0


def test_a_prediction_of_another_length_is_told_with_both_counts(judge: Any) -> None:
    error = judge("1\n0\n1\n", "1\n0\n")["error"]
    assert (error["code"], error["expected"], error["got"]) == ("wrong_length", 3, 2)


@pytest.mark.parametrize(
    ("prediction", "code"),
    [
        ("1\nnan\n", "invalid_prediction"),
        ("1\ninf\n", "invalid_prediction"),
        ("1\n__import__('os')\n", "invalid_prediction"),
        (b"\xff\xfe\n1\n", "invalid_prediction"),
        ("1\n<html>\n", "invalid_prediction"),
    ],
)
def test_a_prediction_that_is_no_numbers_is_refused(judge: Any, prediction: str | bytes, code: str) -> None:
    assert judge("1\n0\n", prediction, "mse")["error"]["code"] == code


@pytest.mark.parametrize(
    ("evaluation", "code"),
    [
        ("raise SystemExit(3)", "evaluation_failed"),
        ("pass", "evaluation_failed"),
        ("print('0.5 0.6')", "evaluation_failed"),
        ("print('nan')", "not_a_number"),
        ("print(float('inf'))", "not_a_number"),
    ],
)
def test_an_evaluation_that_gives_no_number_is_told(judge: Any, evaluation: str, code: str) -> None:
    assert judge("1\n", "1\n", "custom", evaluation)["error"]["code"] == code


def test_an_evaluation_gets_the_label_only_when_it_knows_the_word(judge: Any) -> None:
    old = "import sys; print('chatter'); print(len(sys.argv))"
    new = "import sys  # test_label_path\nprint(len(sys.argv))"
    assert judge("1\n", "1\n", "custom", old) == {"score": 3.0}
    assert judge("1\n", "1\n", "custom", new) == {"score": 5.0}


def test_a_missing_prediction_or_metric_is_told(judge: Any) -> None:
    assert judge("1\n", "1\n", "bleu")["error"]["code"] == "evaluation_failed"
    assert judge("", "", "accuracy")["error"]["code"] == "evaluation_failed"


@pytest.fixture
def complain(tmp_path: Path) -> Any:
    """What a metric says about a prediction it refuses, all of it, without a process of its own."""

    def run(label: str, prediction: str, metric: str) -> str:
        options = Namespace(metric=metric, evaluation=None, label=str(tmp_path / "l"), prediction=str(tmp_path / "p"))
        (tmp_path / "l").write_text(label)
        (tmp_path / "p").write_text(prediction)
        with pytest.raises(score.Refused) as refused:
            score.evaluate(options)
        return f"{refused.value} {refused.value.details}"

    return run


@pytest.mark.parametrize("metric", sorted(set(score.METRICS) - {"accuracy", "f1"}))
@pytest.mark.parametrize("poison", ["secret-row", "secret-row,secret-row", "0.5 secret-row"])
def test_an_error_tells_the_line_and_never_what_stood_there(complain: Any, metric: str, poison: str) -> None:
    said = complain("1\n0\n1\n", f"0.5\n{poison}\n0.5\n", metric)
    assert "secret" not in said
    assert "'line': 2" in said


@pytest.mark.parametrize("metric", ["mse", "log_loss"])
def test_an_error_never_repeats_what_a_label_held(complain: Any, metric: str) -> None:
    assert "secret" not in complain("secret\nsecret\n", "1\n0.5\n", metric)


@pytest.mark.parametrize("metric", ["mse", "rmse"])
def test_a_prediction_that_is_too_large_to_square_is_refused(complain: Any, metric: str) -> None:
    assert "too large" in complain("1\n", "1e308\n", metric)


def test_an_error_never_repeats_what_an_evaluation_printed(judge: Any) -> None:
    assert "secret" not in json.dumps(judge("1\n", "1\n", "custom", "print('secret label')"))
