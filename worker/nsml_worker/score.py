"""The program of a `score` run: predictions and labels in, one number out. Runs in the box, as a file by itself.

Standard library; scikit-learn only for the metrics that need it. Nothing here or in what it starts can reach a participant's
code: the prediction is data. Writes ``score.json`` to the results of the box and exits with 0 in every case it understands:
{"score": number} or {"error": {"code", "message", …}}.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

MAX_OUTPUT = 64 * 1024  # bytes of an evaluation's output that are looked at, from its end
MAX_PREDICTION = 1 << 30  # bytes


class Refused(Exception):
    """Why there is no score. `details` go into the answer: counts and line numbers, never what a line holds."""

    def __init__(self, code: str, message: str, **details: object) -> None:
        super().__init__(message)
        self.code = code
        self.details = details


def main() -> None:
    """Score what the command line names."""
    options = read_options()
    try:
        answer: dict[str, object] = {"score": check_score(evaluate(options))}
    except Refused as error:
        answer = {"error": {"code": error.code, "message": str(error), **error.details}}
    write_answer(Path(os.environ["NSML_HOME"]) / "out" / "score.json", answer)


def read_options() -> argparse.Namespace:
    """--metric, --prediction, --label, and --evaluation for a metric of the organiser's own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--metric", required=True)
    parser.add_argument("--prediction", required=True)
    parser.add_argument("--label", required=True)
    parser.add_argument("--evaluation")
    return parser.parse_args()


def evaluate(options: argparse.Namespace) -> float:
    """The score, by the organiser's program or by a metric of ours."""
    if not Path(options.prediction).is_file():
        raise Refused("invalid_prediction", "There is no prediction file.")
    if options.evaluation:
        return run_evaluation(options.evaluation, options.prediction, options.label)
    metric = METRICS.get(options.metric)
    if metric is None:
        names = ", ".join(sorted(METRICS))
        raise Refused("evaluation_failed", f"The metric {options.metric!r} is not known; choose one of {names}.")
    labels = read_lines(options.label, "evaluation_failed", "label")
    predictions = read_lines(options.prediction, "invalid_prediction", "prediction")
    if len(labels) != len(predictions):
        message = f"The prediction has {len(predictions):,} lines and the test data {len(labels):,}."
        raise Refused("wrong_length", message, expected=len(labels), got=len(predictions))
    if not labels:
        raise Refused("evaluation_failed", "The label file is empty.")
    try:
        return metric(labels, predictions)
    except OverflowError:
        raise Refused("invalid_prediction", "The metric of these predictions is too large to be computed.") from None


def run_evaluation(program: str, prediction: str, label: str) -> float:
    """The number on the last line that the organiser's evaluation.py prints."""
    command = [sys.executable, "-u", program, "--prediction", prediction]
    if b"test_label_path" in Path(program).read_bytes():
        command += ["--test_label_path", label]
    done = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    os.write(sys.stdout.fileno(), done.stdout[-MAX_OUTPUT:])  # the log of a scoring is its organiser's to read
    if done.returncode != 0:
        raise Refused("evaluation_failed", f"The evaluation ended with exit code {done.returncode}.")
    lines = done.stdout[-MAX_OUTPUT:].decode("utf-8", "replace").strip().splitlines()
    if not lines:
        raise Refused("evaluation_failed", "The evaluation printed nothing; its last line must be the score.")
    try:
        return float(lines[-1])
    except ValueError:
        raise Refused("evaluation_failed", "The last line of the evaluation is no number.") from None


def read_lines(path: str, code: str, what: str) -> list[str]:
    """The lines of a text file, without the empty ones at its end."""
    try:
        if Path(path).stat().st_size > MAX_PREDICTION:
            raise Refused(code, f"The {what} file is larger than {MAX_PREDICTION:,} bytes.")
        text = Path(path).read_text(encoding="utf-8-sig").rstrip()
    except UnicodeDecodeError:
        raise Refused(code, f"The {what} file is not UTF-8 text.") from None
    except OSError as error:
        raise Refused(code, f"The {what} file cannot be read: {error.strerror}.") from None
    return [line.strip() for line in text.split("\n")] if text else []


def read_number(text: str, line: int, code: str, what: str) -> float:
    """A finite number. What stood there instead is not repeated: the answer is read by people who may not see the test."""
    try:
        number = float(text)
    except ValueError:
        raise Refused(code, f"Line {line:,} of the {what} file is no number.", line=line) from None
    if not math.isfinite(number):
        raise Refused(code, f"Line {line:,} of the {what} file is a number that is not finite.", line=line)
    return number


def read_numbers(lines: list[str], code: str, what: str) -> list[float]:
    """One finite number a line."""
    return [read_number(text, line, code, what) for line, text in enumerate(lines, 1)]


def read_pair(labels: list[str], predictions: list[str]) -> tuple[list[float], list[float]]:
    """Both files as numbers."""
    expected = read_numbers(labels, "evaluation_failed", "label")
    return expected, read_numbers(predictions, "invalid_prediction", "prediction")


def read_classes(labels: list[str], predictions: list[str]) -> tuple[list[object], list[object]]:
    """Both files as classes: compared as numbers when all are numbers, so that `1` is `1.0`; else as text."""
    try:
        numbers = [float(line) for line in labels], [float(line) for line in predictions]
    except ValueError:
        return list(labels), list(predictions)
    return list(numbers[0]), list(numbers[1])


def measure_accuracy(labels: list[str], predictions: list[str]) -> float:
    """Share of lines that are right."""
    expected, got = read_classes(labels, predictions)
    return sum(left == right for left, right in zip(expected, got, strict=True)) / len(expected)


def measure_f1(labels: list[str], predictions: list[str]) -> float:
    """F1 of each class, averaged over the classes."""
    from sklearn.metrics import f1_score

    expected, got = read_classes(labels, predictions)
    return float(f1_score([str(value) for value in expected], [str(value) for value in got], average="macro"))


def measure_mse(labels: list[str], predictions: list[str]) -> float:
    """Mean of squared errors."""
    expected, got = read_pair(labels, predictions)
    return math.fsum((left - right) ** 2 for left, right in zip(expected, got, strict=True)) / len(expected)


def measure_rmse(labels: list[str], predictions: list[str]) -> float:
    """Root of the mean of squared errors."""
    return math.sqrt(measure_mse(labels, predictions))


def measure_mae(labels: list[str], predictions: list[str]) -> float:
    """Mean of absolute errors."""
    expected, got = read_pair(labels, predictions)
    return math.fsum(abs(left - right) for left, right in zip(expected, got, strict=True)) / len(expected)


def measure_r2(labels: list[str], predictions: list[str]) -> float:
    """Coefficient of determination."""
    from sklearn.metrics import r2_score

    return float(r2_score(*read_pair(labels, predictions)))


def measure_auc(labels: list[str], predictions: list[str]) -> float:
    """Area under the ROC curve; a prediction is a score for the larger label, or one probability for each class."""
    from sklearn.metrics import roc_auc_score

    rows = read_rows(predictions)
    return explain_failure(lambda: float(roc_auc_score(labels, rows, multi_class="ovr")))


def measure_log_loss(labels: list[str], predictions: list[str]) -> float:
    """Cross entropy; a prediction is the probability of the larger label, or one for each class in order."""
    from sklearn.metrics import log_loss

    rows = read_rows(predictions)
    return explain_failure(lambda: float(log_loss(labels, rows)))


def read_rows(lines: list[str]) -> Any:
    """One number a line, or several with commas or blanks between them."""
    rows = [
        [read_number(word, line, "invalid_prediction", "prediction") for word in text.replace(",", " ").split()]
        for line, text in enumerate(lines, 1)
    ]
    widths = {len(row) for row in rows}
    if len(widths) != 1 or 0 in widths:
        raise Refused("invalid_prediction", "The lines of the prediction file do not hold equally many numbers.")
    return [row[0] for row in rows] if widths == {1} else rows


def explain_failure(metric: Callable[[], float]) -> float:
    """A metric that cannot use the numbers it got. Its own words stay here: they may quote labels."""
    try:
        return metric()
    except ValueError:
        raise Refused("invalid_prediction", "The metric cannot be computed from these predictions.") from None


def check_score(score: float) -> float:
    """A score is a finite number."""
    if not math.isfinite(score):
        raise Refused("not_a_number", f"The score is {score}, which is not a finite number.")
    return score


def write_answer(path: Path, answer: Mapping[str, object]) -> None:
    """Whole or absent."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(answer), encoding="utf-8")
    temporary.rename(path)


METRICS = {
    "accuracy": measure_accuracy,
    "f1": measure_f1,
    "mse": measure_mse,
    "rmse": measure_rmse,
    "mae": measure_mae,
    "r2": measure_r2,
    "auc": measure_auc,
    "log_loss": measure_log_loss,
}

if __name__ == "__main__":
    main()
