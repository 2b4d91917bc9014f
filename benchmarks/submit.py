"""From a submit to its score on the board, against running the same two programs by hand."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.table import Row, compare

ROOT = Path(__file__).parents[1]
PROGRAM = ROOT / "tests/programs/cases/answers_right"
DATASET = ROOT / "tests/programs/datasets/tiny"
ROUNDS = 9


def rows() -> list[Row]:
    """A model that costs nothing, so that what is measured is the road."""
    with tempfile.TemporaryDirectory() as folder, running_platform(Path(folder)) as login:
        session = train(Path(folder), login)
        submits, by_hand = [], []
        for _ in range(ROUNDS):
            submits.append(measure(lambda: submit(login, session)))
            by_hand.append(measure(lambda: run_by_hand(Path(folder))))
    ours, floor = statistics.median(submits), statistics.median(by_hand)
    return [compare("submit to score, vs its two programs by hand", ours, floor, goal=None, unit="ms")]


def measure(action: Any) -> float:
    """Milliseconds that it takes."""
    before = time.perf_counter()
    action()
    return (time.perf_counter() - before) * 1000


@contextmanager
def running_platform(folder: Path) -> Iterator[dict[str, Any]]:
    """`nsmlctl up` in this folder; gives what it leaves for the CLI: url and token."""
    environment = {**os.environ, "NSMLCTL_HOME": str(folder), "NSML_USER": "bench", "NSML_RUNNER": "process"}
    command = [sys.executable, "-m", "nsmlctl", "up", "--data", str(folder / "data"), "--port", "0"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 60
        while ctl(folder, "status", check=False).returncode:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((folder / "log").read_text())
            time.sleep(0.1)
        yield json.loads((folder / "platform.json").read_text())
    finally:
        process.terminate()
        process.wait()


def ctl(folder: Path, *arguments: str, cwd: Path = ROOT, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Type `nsmlctl ARGUMENTS`."""
    environment = {**os.environ, "NSMLCTL_HOME": str(folder)}
    command = [sys.executable, "-m", "nsmlctl", *arguments]
    return subprocess.run(command, env=environment, cwd=cwd, check=check, capture_output=True, text=True)


def train(folder: Path, login: dict[str, Any]) -> str:
    """Push the dataset and train the program once. Returns the session's name."""
    ctl(folder, "dataset", "push", "tiny", str(DATASET), "-l", "--metric", "accuracy")
    name: str = json.loads(ctl(folder, "run", "-d", "tiny", "main.py", "-j", cwd=PROGRAM).stdout)["name"]
    ctl(folder, "logs", "-f", name)
    return name


def submit(login: dict[str, Any], session: str) -> None:
    """Ask for it, then wait for its news until it is scored."""
    submission = call(login, "POST", f"/api/v1/sessions/{session}/submissions", {"checkpoint": None})
    while not submission["final"]:
        path = f"/api/v1/submissions/{submission['id']}?wait=20&seen={submission['version']}"
        submission = call(login, "GET", path)
    if submission["state"] != "scored":
        raise RuntimeError(submission["message"])


def call(login: dict[str, Any], method: str, path: str, body: Any = None) -> Any:
    """One request on a connection of its own."""
    connection = HTTPConnection(urlsplit(login["url"]).netloc, timeout=60)
    headers = {
        "Authorization": f"Bearer {login['token']}",
        "Content-Type": "application/json",
        "Idempotency-Key": str(time.monotonic_ns()),
    }
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    return json.loads(answer.read())


def run_by_hand(folder: Path) -> None:
    """What a person would type in two folders laid out beforehand: the program, then the metric."""
    home = folder / "by-hand"
    if not home.exists():
        for name in ("checkpoint/model", "loader", "out"):
            (home / name).mkdir(parents=True)
        (home / "checkpoint/model/model").write_text("parity of the number of words")
        (home / "loader/data_loader.py").write_bytes((DATASET / "data_loader.py").read_bytes())
    environment = {
        "PYTHONPATH": str(ROOT / "sdk"),
        "NSML_HOME": str(home),
        "NSML_MODE": "submit",
        "NSML_SESSION": "1",
        "NSML_SESSION_NAME": "bench/tiny/1",
        "NSML_CHECKPOINT": "1",
        "NSML_DATASET_NAME": "tiny",
        "NSML_DATASET_PATH": str(DATASET),
    }
    predict = [sys.executable, "-u", "main.py", "--mode", "test", "--pause", "1"]
    subprocess.run(predict, cwd=PROGRAM, env=environment, check=True, capture_output=True)
    score = [sys.executable, str(ROOT / "worker/nsml_worker/score.py"), "--metric", "accuracy"]
    score += ["--label", str(DATASET / "test/test_label"), "--prediction", str(home / "out/prediction")]
    subprocess.run(score, env=environment, check=True, capture_output=True)
