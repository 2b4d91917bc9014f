"""From a submit to its score on the board, against running the same two programs by hand: as processes, and in containers."""

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
from nsml_worker.containers.engine import Engine
from nsml_worker.containers.site import ImageSite
from nsml_worker.errors import EngineFailed
from nsml_worker.runtimes import DEFAULT

ROOT = Path(__file__).parents[1]
PROGRAM = ROOT / "tests/programs/cases/answers_right"
DATASET = ROOT / "tests/programs/datasets/tiny"
ROUNDS = 9
LABEL = "nsml.benchmark=submit"
SITE = ImageSite(prefix=os.environ.get("NSML_IMAGE_PREFIX", "nsmlctl/"))


def rows() -> list[Row]:
    """A model that costs nothing, so that what is measured is the road. By turns, so that a busy moment meets both."""
    found = [_measure("submit to score, vs its two programs by hand", "process", run_by_hand, goal=None)]
    if has_image(SITE.reference_of(DEFAULT)):
        found.append(_measure("submit to score in two boxes, vs two `docker run`s", "docker", run_docked, goal=1.25))
        clear()
    return found


def _measure(name: str, runner: str, by_hand: Any, goal: float | None) -> Row:
    with tempfile.TemporaryDirectory() as folder, running_platform(Path(folder), runner) as login:
        hand = lay_out(Path(folder))
        session = train(Path(folder))
        submit(login, session)  # what is read from disk for the first time, is so for neither
        by_hand(hand)
        submits, floors = [], []
        for _ in range(ROUNDS):
            submits.append(measure(lambda: submit(login, session)))
            floors.append(measure(lambda: by_hand(hand)))
    return compare(name, statistics.median(submits), statistics.median(floors), goal=goal, unit="ms")


def measure(action: Any) -> float:
    """Milliseconds that it takes."""
    before = time.perf_counter()
    action()
    return (time.perf_counter() - before) * 1000


def has_image(reference: str) -> bool:
    """Whether the engine is there and has it."""
    try:
        engine = Engine.open(os.environ, "benchmark", Path(tempfile.gettempdir()))
    except EngineFailed as error:
        print(f"submits in containers are not measured: {error}", file=sys.stderr)
        return False
    found = bool(engine.api.images(reference))
    engine.close()
    if not found:
        print(f"submits in containers are not measured: `make images` builds {reference}", file=sys.stderr)
    return found


@contextmanager
def running_platform(folder: Path, runner: str) -> Iterator[dict[str, Any]]:
    """`nsmlctl up` in this folder; gives what it leaves for the CLI: url and token."""
    environment = {**os.environ, "NSMLCTL_HOME": str(folder), "NSML_USER": "bench", "NSML_RUNNER": runner}
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


def train(folder: Path) -> str:
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


def lay_out(folder: Path) -> Path:
    """The files of both programs, as a person would have them ready."""
    home = folder / "by-hand"
    for name in ("checkpoint/model", "loader", "out"):
        (home / name).mkdir(parents=True)
    (home / "checkpoint/model/model").write_text("parity of the number of words")
    (home / "loader/data_loader.py").write_bytes((DATASET / "data_loader.py").read_bytes())
    return home


def predict_words(python: str) -> list[str]:
    """The first program."""
    return [python, "-u", "main.py", "--mode", "test", "--pause", "1"]


def score_words(python: str, program: str, dataset: str, home: str) -> list[str]:
    """The second."""
    words = [python, program, "--metric", "accuracy", "--label", f"{dataset}/test/test_label"]
    return [*words, "--prediction", f"{home}/out/prediction"]


def variables(sdk: str, dataset: str, home: str) -> dict[str, str]:
    """What the SDK looks for."""
    return {
        "PYTHONPATH": sdk,
        "NSML_HOME": home,
        "NSML_MODE": "submit",
        "NSML_SESSION": "1",
        "NSML_SESSION_NAME": "bench/tiny/1",
        "NSML_CHECKPOINT": "1",
        "NSML_DATASET_NAME": "tiny",
        "NSML_DATASET_PATH": dataset,
    }


def run_by_hand(home: Path) -> None:
    """Both, as a person would type them."""
    environment = variables(str(ROOT / "sdk"), str(DATASET), str(home))
    score = score_words(sys.executable, str(ROOT / "worker/nsml_worker/score.py"), str(DATASET), str(home))
    subprocess.run(predict_words(sys.executable), cwd=PROGRAM, env=environment, check=True, capture_output=True)
    subprocess.run(score, env=environment, check=True, capture_output=True)


def run_docked(home: Path) -> None:
    """Both in containers with nothing asked of the engine but what they need: no limits, no network, nothing removed."""
    environment = variables("/sdk", "/data/tiny", "/nsml")
    predict = predict_words(SITE.reference_of(DEFAULT))[1:]
    score = score_words("", "/score.py", "/data/tiny", "/nsml")[1:]
    run = ["docker", "run", "--label", LABEL, "--network", "none", "--entrypoint", "python", "-w", "/app"]
    run += [word for name, value in environment.items() for word in ("-e", f"{name}={value}")]
    mounts = {ROOT / "sdk": "/sdk", PROGRAM: "/app", DATASET: "/data/tiny", home: "/nsml"}
    run += [word for source, target in mounts.items() for word in ("-v", f"{source}:{target}")]
    run += ["-v", f"{ROOT / 'worker/nsml_worker/score.py'}:/score.py:ro", SITE.reference_of(DEFAULT)]
    for words in (predict, score):
        subprocess.run([*run, *words], check=True, capture_output=True)


def clear() -> None:
    """Take away the containers that were run by hand."""
    found = subprocess.run(["docker", "ps", "-aq", "--filter", f"label={LABEL}"], capture_output=True, check=True)
    if found.stdout.split():
        subprocess.run(["docker", "rm", "-f", *found.stdout.decode().split()], check=True, capture_output=True)
