"""Sample participants are data: a folder with a program and `expect.toml`. All run on one platform, at the same time.

`cases` hold programs that go wrong, or try to cheat; `nsml` holds one convention of 2017 to 2022 each. expect.toml:

    dataset = "tiny"        its folder below datasets or nsml_datasets; "" runs without one
    [train]                 state; message, log, said (by `run`): texts that must come; arguments (of `run`); checkpoints; summary;
                            files, what it left beside its code, and left_out
    [again], [fork]         the same program once more, or from its newest checkpoint: as [train]; {session} is the first one's name
    [infer]                 its model served: asked, an expression, and answer, what the console shows
    [submit]                state, score or below, phase, message, checkpoint; refused; hidden: texts that must not come
"""

import json
import os
import sqlite3
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

HERE = Path(__file__).parent
CASES = sorted(path.parent for folder in ("cases", "nsml") for path in (HERE / folder).glob("*/expect.toml"))
DATASETS = {
    path.name: path for folder in ("datasets", "nsml_datasets") for path in (HERE / folder).iterdir() if path.is_dir()
}
AT_ONCE = 4  # clients; the platform itself runs as many programs as it has room for

#: An evaluation that never ends must not hold up the others' tests.
SETTINGS = {"NSML_SCORE_LIMIT": "20"}

# Every signature of a callback that a public program of those years has.
SAVE_OR_LOAD = (
    "filename, *args", "dir_name, *args", "dir_name", "dir_name, *args, **kwargs", "path, *args, **kwargs", "path, **kwargs",
    "dir_path, **kwargs", "dirname, *args", "save_folder, **kwargs", "dir_name, *parser", "filename, **kwargs", "file_name, *args",
)  # fmt: skip
LOAD = ("file_path", "dir_path", "dirname, **kwargs")
INFER = (
    "raw_data, **kwargs", "input", "input, top_k=100", "input, **kwargs", "sentences, **kwargs", "queries, db", "queries, _",
    "root_path", "root_path, top_k=1", "path, **kwargs", "data_path, **kwargs", "test_dir, **kwargs", "wav_path", "data",
    "test_data, **kwargs", "test_img_path_list", "test_path, **kwparser", "root, phase", "image_path",
)  # fmt: skip
CONVENTIONS = [
    *(f"save({arguments})" for arguments in SAVE_OR_LOAD),
    *(f"load({arguments})" for arguments in (*SAVE_OR_LOAD, *LOAD)),
    *(f"infer({arguments})" for arguments in INFER),
]


def expectation(case: Path) -> dict[str, Any]:
    return {"dataset": "tiny", **tomllib.loads((case / "expect.toml").read_text(encoding="utf-8"))}


def push(platform: Any, name: str) -> None:
    folder = DATASETS[name]
    arguments = {
        "tiny": ["-l", "--metric", "accuracy"],
        **tomllib.loads((HERE / "nsml_datasets/push.toml").read_text()),
    }
    own = ["-e", "evaluation.py"] if (folder / "evaluation.py").is_file() else ["--metric", "accuracy"]
    platform.ctl("dataset", "push", name, str(folder), *arguments.get(name, ["-l", *own]))


@pytest.fixture(scope="module")
def walks(platform: Any, request: pytest.FixtureRequest) -> Iterator[dict[str, Future[None]]]:
    """Each chosen case's walk, from `run` to the end of its submit. They are all on their way at once."""
    chosen = [item.callspec.params.get("case") for item in request.session.items if hasattr(item, "callspec")]
    cases = [case for case in CASES if case in chosen]
    with ThreadPoolExecutor(AT_ONCE) as clients:
        used = sorted({expectation(case)["dataset"] for case in cases} - {""})
        list(clients.map(lambda name: push(platform, name), used))
        yield {case.name: clients.submit(walk, platform, case) for case in cases}
        clients.shutdown(cancel_futures=True)


def walk(platform: Any, case: Path) -> None:
    expected = expectation(case)
    if expected.get("needs") == "frameworks" and find_spec("torch") is None:
        assert os.environ.get("CI") != "true", "make frameworks"
        pytest.skip("torch is missing here: make frameworks")
    if needs_a_sealed_box(expected) and platform.json("status")["confinement"] not in ("bubblewrap", "namespace"):
        assert os.environ.get("CI") != "true", "this machine cannot seal a box"
        pytest.skip("this machine cannot seal a box: install bubblewrap or run as root")
    name = start(platform, case, expected)
    check_training(platform, name, expected["train"])
    if "again" in expected:
        check_training(
            platform, start(platform, case, {**expected, "train": expected["again"]}, name), expected["again"]
        )
    if "fork" in expected:
        words = platform.json("fork", name, *expected["fork"].get("arguments", []))
        check_training(platform, words["name"], expected["fork"])
    if "infer" in expected:
        check_answers(platform, name, expected["infer"])
    if "submit" in expected:
        check_submit(platform, name, expected["submit"], expected["dataset"])


def start(platform: Any, case: Path, expected: dict[str, Any], session: str = "") -> str:
    """The session's name, once `run` said what it has to say. `session`: one that the arguments speak of."""
    dataset = ["-d", expected["dataset"]] if expected["dataset"] else []
    arguments = [word.replace("{session}", session) for word in expected["train"].get("arguments", [])]
    done = platform.ctl("run", *dataset, "-m", case.name, *arguments, "-j", cwd=case, check=False)
    name: str = json.loads(done.stdout)["name"]
    check_holds(done.stderr, expected["train"].get("said", []))
    return name


def needs_a_sealed_box(expected: dict[str, Any]) -> bool:
    """Whether it seeks what only a sealed box keeps from it, or is scored by a path that only such a box has."""
    evaluation = DATASETS.get(expected["dataset"], HERE) / "evaluation.py"
    has_path_of_its_time = evaluation.is_file() and "data/" in evaluation.read_text(encoding="utf-8")
    return expected.get("needs") == "sealed" or has_path_of_its_time


def everything_shown(platform: Any, session: str, dataset: str) -> str:
    """All that its owner can read about a session, wherever it is shown."""
    commands = [
        ("ps", "-a", "-j"),
        ("logs", session),
        ("model", "ls", "-j", session),
        ("dataset", "board", "-j", dataset),
    ]
    return "".join(platform.ctl(*command).stdout for command in commands)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_program_ends_as_it_must_and_is_told_why(case: Path, walks: dict[str, Future[None]]) -> None:
    walks[case.name].result()


def ask(platform: Any, path: str) -> str:
    """What the client would ask for as well, without starting it: there are many cases."""
    login = platform.login
    request = Request(f"{login['url']}/api/v1{path}", headers={"Authorization": f"Bearer {login['token']}"})
    with urlopen(request, timeout=120) as answer:
        return answer.read().decode()


def check_holds(text: str | None, fragments: list[str]) -> None:
    for fragment in fragments:
        assert fragment in (text or "")


def check_training(platform: Any, name: str, expected: dict[str, Any]) -> None:
    log = ask(platform, f"/sessions/{name}/log?follow=1")  # which ends when the session does
    session = json.loads(ask(platform, f"/sessions/{name}"))
    assert session["state"] == expected["state"], (session["message"], log[-2000:])
    check_holds(session["message"], expected.get("message", []))
    check_holds(log, expected.get("log", []))
    assert session["checkpoints"] == expected.get("checkpoints", session["checkpoints"])
    assert expected.get("summary", {}).items() <= session["summary"].items()
    if "files" in expected:
        kept = json.loads(ask(platform, f"/sessions/{name}/files"))
        assert [path for path, _ in kept["files"]] == expected["files"]
        assert [path for path, _ in kept["left_out"]] == expected.get("left_out", [])


def check_answers(platform: Any, name: str, expected: dict[str, Any]) -> None:
    """A served model answers until it is stopped; nothing is asked before it has been loaded."""
    served = platform.json("infer", name)["name"]
    asked = platform.ctl("exec", served, expected["asked"], check=False)
    until = time.monotonic() + 60
    while asked.returncode and time.monotonic() < until:
        time.sleep(0.2)
        asked = platform.ctl("exec", served, expected["asked"], check=False)
    assert asked.stdout.strip() == expected["answer"], asked.stderr
    platform.ctl("stop", served)
    assert platform.wait_for(served)["state"] == "stopped"


def check_submit(platform: Any, name: str, expected: dict[str, Any], dataset: str) -> None:
    checkpoint = [expected["checkpoint"]] if "checkpoint" in expected else []
    done = platform.ctl("submit", name, *checkpoint, "-j", check=False)
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
    if "hidden" in expected:
        shown = str(submission) + done.stdout + done.stderr + everything_shown(platform, name, dataset)
        assert not [canary for canary in expected["hidden"] if canary in shown]


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_every_signature_of_those_years_is_in_a_program(convention: str) -> None:
    programs = (path.read_text(encoding="utf-8") for path in (HERE / "nsml").rglob("*.py"))
    assert any(f"def {convention}:" in program for program in programs)


def test_when_all_have_ended_nothing_is_left_running(platform: Any, walks: dict[str, Future[None]]) -> None:
    wait(walks.values())
    assert all(session["final"] for session in json.loads(ask(platform, "/sessions?all=1&last=1000"))["sessions"])
    until = time.monotonic() + 20  # the end is told first, and the box is cleaned after it
    while (boxes := list((platform.data / "worker/boxes").iterdir())) and time.monotonic() < until:
        time.sleep(0.05)
    assert not boxes
    with sqlite3.connect(f"file:{platform.data / 'nsml.sqlite'}?mode=ro", uri=True) as rows:
        states = {state for (state,) in rows.execute("SELECT DISTINCT state FROM runs")}
    assert states <= {"exited", "failed", "stopped"}
