"""The walk of a sample participant: a folder with a program and `expect.toml`, from `run` to the end of its submit.

dataset = "tiny"        its folder below datasets or nsml_datasets; "" runs without one
needs                   "frameworks", or "sealed": a box that keeps it from what it seeks
[train]                 state; message, log, said (by `run`): texts that must come, and absent from the log; arguments (of
                        `run`; {session} is the first one's name, {data} the platform's folder, {url} its address); checkpoints;
                        summary; points of each series; files, what it left beside its code, and left_out; stop_at: the text
                        in the log at which its owner types `nsmlctl stop`
[again], [fork]         the same program once more, or from its newest checkpoint: as [train]
[infer]                 its model served: asked, an expression, and answer, what the console shows
[submit]                state, score or below, phase, message, checkpoint; refused; hidden: texts that must not come; problems: those
                        that the organiser must read
"""

import contextlib
import json
import os
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

HERE = Path(__file__).parent
DATASETS = {
    path.name: path for folder in ("datasets", "nsml_datasets") for path in (HERE / folder).iterdir() if path.is_dir()
}
AT_ONCE = 4  # clients; the platform itself runs as many programs as it has room for
SEALED = ("bubblewrap", "namespace", "docker")
PATIENCE = 180  # seconds for one answer of the server, or one text in a log


class Walk:
    """One case on its way through a running platform. Raises AssertionError where it goes otherwise than expected."""

    def __init__(self, platform: Any, case: Path) -> None:
        self.platform = platform
        self.case = case
        self.expected = {"dataset": "tiny", **tomllib.loads((case / "expect.toml").read_text(encoding="utf-8"))}
        self.dataset: str = self.expected["dataset"]
        self.name = ""

    def go(self) -> None:
        """Train, and whatever else is expected of it."""
        self.skip_what_cannot_be()
        expected = self.expected
        self.name = self.start(expected["train"])
        self.check_training(self.name, expected["train"])
        if "again" in expected:
            self.check_training(self.start(expected["again"], self.name), expected["again"])
        if "fork" in expected:
            words = self.platform.json("fork", self.name, *expected["fork"].get("arguments", []))
            self.check_training(words["name"], expected["fork"])
        if "infer" in expected:
            self.check_answers(expected["infer"])
        if "submit" in expected:
            self.check_submit(expected["submit"])

    def skip_what_cannot_be(self) -> None:
        """Never on CI: there it fails."""
        if self.expected.get("needs") == "frameworks" and find_spec("torch") is None:
            assert os.environ.get("CI") != "true", "make frameworks"
            pytest.skip("torch is missing here: make frameworks")
        if self.needs_a_sealed_box() and self.platform.json("status")["confinement"] not in SEALED:
            assert os.environ.get("CI") != "true", "this machine cannot seal a box"
            pytest.skip("this machine cannot seal a box: install bubblewrap or run as root")

    def needs_a_sealed_box(self) -> bool:
        """Whether it seeks what only a sealed box keeps from it, or is scored by a path that only such a box has."""
        evaluation = DATASETS.get(self.dataset, HERE) / "evaluation.py"
        has_path_of_its_time = evaluation.is_file() and "data/" in evaluation.read_text(encoding="utf-8")
        return self.expected.get("needs") == "sealed" or has_path_of_its_time

    def start(self, expected: dict[str, Any], session: str = "") -> str:
        """The session's name, once `run` said what it has to say. `session`: one that the arguments speak of."""
        dataset = ["-d", self.dataset] if self.dataset else []
        spoken_of = {"{session}": session, "{data}": str(self.platform.data), "{url}": self.platform.login["url"]}
        arguments = [replace_all(word, spoken_of) for word in expected.get("arguments", [])]
        done = self.platform.ctl("run", *dataset, "-m", self.case.name, *arguments, "-j", cwd=self.case, check=False)
        assert done.stdout, done.stderr
        name: str = json.loads(done.stdout)["name"]
        check_holds(done.stderr, expected.get("said", []))
        return name

    def ask(self, path: str) -> Any:
        """What the client would ask for as well, without starting it: there are many cases."""
        return json.loads(ask(self.platform, path))

    def check_training(self, name: str, expected: dict[str, Any]) -> None:
        """Follow it to its end."""
        if "stop_at" in expected:
            self.wait_for_text(name, expected["stop_at"])
            self.platform.ctl("stop", name)
        log = ask(self.platform, f"/sessions/{name}/log?follow=1")  # which ends when the session does
        session = self.ask(f"/sessions/{name}")
        assert session["state"] == expected["state"], (session["message"], log[-2000:])
        check_holds(session["message"], expected.get("message", []))
        check_holds(log, expected.get("log", []))
        assert not [text for text in expected.get("absent", []) if text in log], log[-2000:]
        assert session["checkpoints"] == expected.get("checkpoints", session["checkpoints"]), log[-2000:]
        assert expected.get("summary", {}).items() <= session["summary"].items()
        if "points" in expected:
            series = self.ask(f"/sessions/{name}/metrics?points=10000")["series"]
            assert {metric: len(series[metric]["step"]) for metric in expected["points"]} == expected["points"]
        if "files" in expected:
            kept = self.ask(f"/sessions/{name}/files")
            assert [path for path, _ in kept["files"]] == expected["files"]
            assert [path for path, _ in kept["left_out"]] == expected.get("left_out", [])

    def wait_for_text(self, name: str, text: str) -> None:
        """Until the log holds it."""
        until = time.monotonic() + PATIENCE
        while text not in ask(self.platform, f"/sessions/{name}/log"):
            assert time.monotonic() < until, f"{text!r} did not come"
            time.sleep(0.1)

    def check_answers(self, expected: dict[str, Any]) -> None:
        """A served model answers until it is stopped; nothing is asked before it has been loaded."""
        served = self.platform.json("infer", self.name)["name"]
        asked = self.platform.ctl("exec", served, expected["asked"], check=False)
        until = time.monotonic() + PATIENCE
        while asked.returncode and time.monotonic() < until:
            time.sleep(0.2)
            asked = self.platform.ctl("exec", served, expected["asked"], check=False)
        assert asked.stdout.strip() == expected["answer"], asked.stderr
        self.platform.ctl("stop", served)
        assert self.platform.wait_for(served)["state"] == "stopped"

    def check_submit(self, expected: dict[str, Any]) -> None:
        """Submit it, and read all that is told about it."""
        checkpoint = [expected["checkpoint"]] if "checkpoint" in expected else []
        done = self.platform.ctl("submit", self.name, *checkpoint, "-j", check=False)
        if "refused" in expected:
            assert done.returncode != 0
            check_holds(done.stdout + done.stderr, expected["refused"])
            return
        submission = json.loads(done.stdout)
        assert submission["state"] == expected["state"], (submission["message"], submission)
        assert (done.returncode == 0) == (expected["state"] == "scored")
        if "score" in expected:
            assert submission["score"] == pytest.approx(expected["score"])
        if "below" in expected:
            assert submission["score"] < expected["below"]
        assert submission["phase"] == expected.get("phase", submission["phase"])
        check_holds(submission["message"], expected.get("message", []))
        if "problems" in expected:
            check_holds(self.platform.ctl("dataset", "problems", self.dataset).stdout, expected["problems"])
        if "hidden" in expected:
            shown = str(submission) + done.stdout + done.stderr + self.everything_shown()
            assert not [canary for canary in expected["hidden"] if canary in shown]

    def everything_shown(self) -> str:
        """All that its owner can read about the session, wherever it is shown."""
        commands = [
            ("ps", "-a", "-j"),
            ("logs", self.name),
            ("model", "ls", "-j", self.name),
            ("dataset", "board", "-j", self.dataset),
        ]
        return "".join(self.platform.ctl(*command).stdout for command in commands)


def ask(platform: Any, path: str) -> str:
    """One request by the platform's own user."""
    login = platform.login
    request = Request(f"{login['url']}/api/v1{path}", headers={"Authorization": f"Bearer {login['token']}"})
    with urlopen(request, timeout=PATIENCE) as answer:
        return answer.read().decode(errors="replace")


def check_holds(text: str | None, fragments: list[str]) -> None:
    for fragment in fragments:
        assert fragment in (text or "")


def replace_all(text: str, by: dict[str, str]) -> str:
    for old, new in by.items():
        text = text.replace(old, new)
    return text


def push(platform: Any, name: str) -> None:
    """The dataset, as its line in push.toml wants it."""
    folder = DATASETS[name]
    arguments = {
        "tiny": ["-l", "--metric", "accuracy"],
        **tomllib.loads((HERE / "nsml_datasets/push.toml").read_text()),
    }
    own = ["-e", "evaluation.py"] if (folder / "evaluation.py").is_file() else ["--metric", "accuracy"]
    platform.ctl("dataset", "push", name, str(folder), *arguments.get(name, ["-l", *own]))


@contextlib.contextmanager
def walk_all(walks: Iterable[Walk], go: Callable[[Walk], None]) -> Iterator[dict[str, Future[None]]]:
    """`go` for each of them, by the case's name; all are on their way at once."""
    walks = list(walks)
    used = {(id(walk.platform), walk.dataset): walk.platform for walk in walks if walk.dataset}
    with ThreadPoolExecutor(AT_ONCE) as clients:
        list(clients.map(lambda key: push(used[key], key[1]), sorted(used)))
        yield {walk.case.name: clients.submit(go, walk) for walk in walks}
        clients.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def make_walk() -> type[Walk]:
    """Makes the walk of a case on a platform."""
    return Walk


@pytest.fixture(scope="session")
def walking() -> Callable[..., contextlib.AbstractContextManager[dict[str, Future[None]]]]:
    """See walk_all."""
    return walk_all


@pytest.fixture(scope="session")
def find_chosen() -> Callable[[pytest.FixtureRequest, list[Path]], list[Path]]:
    """Of a file's cases those that this run of pytest is for."""

    def find(request: pytest.FixtureRequest, cases: list[Path]) -> list[Path]:
        chosen = [item.callspec.params.get("case") for item in request.session.items if hasattr(item, "callspec")]
        return [case for case in cases if case in chosen]

    return find
