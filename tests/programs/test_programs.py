"""Sample participants are data: a folder with `main.py` and `expect.toml`. All run on one platform, at the same time."""

import json
import sqlite3
import tomllib
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
CASES = sorted(path for path in (HERE / "cases").iterdir() if (path / "expect.toml").is_file())


@pytest.fixture(scope="module")
def sessions(platform: Any) -> dict[str, str]:
    """Every case's session name. They are all asked for at once; the platform runs as many as it has room for."""
    platform.ctl("dataset", "push", "tiny", str(HERE / "datasets/tiny"), "-l", "--metric", "accuracy")
    names = {}
    for case in CASES:
        arguments = expectation(case)["train"].get("arguments", [])
        names[case.name] = platform.json("run", "-d", "tiny", "main.py", "-m", case.name, *arguments, cwd=case, check=False)["name"]
    return names


def expectation(case: Path) -> dict[str, Any]:
    return tomllib.loads((case / "expect.toml").read_text(encoding="utf-8"))


def everything_shown(platform: Any, session: str) -> str:
    """All that its owner can read about a session, wherever it is shown."""
    commands = [("ps", "-a", "-j"), ("logs", session), ("model", "ls", "-j", session), ("dataset", "board", "-j", "tiny")]
    return "".join(platform.ctl(*command).stdout for command in commands)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_program_ends_as_it_must_and_is_told_why(case: Path, platform: Any, sessions: dict[str, str]) -> None:
    expected = expectation(case)
    confinement = platform.json("status")["confinement"]
    if expected.get("needs") == "sealed":
        assert confinement != "none", "this machine cannot seal a box: install bubblewrap or run as root"
    name = sessions[case.name]
    check_training(platform, name, expected["train"])
    if "submit" in expected:
        check_submit(platform, name, expected["submit"])


def check_training(platform: Any, name: str, expected: dict[str, Any]) -> None:
    session = platform.wait_for(name)
    assert session["state"] == expected["state"], (session["message"], platform.ctl("logs", name).stdout[-2000:])
    for fragment in expected.get("message", []):
        assert fragment in session["message"]
    log = platform.ctl("logs", name).stdout
    for fragment in expected.get("log", []):
        assert fragment in log


def check_submit(platform: Any, name: str, expected: dict[str, Any]) -> None:
    done = platform.ctl("submit", name, "-j", check=False)
    if "refused" in expected:
        assert done.returncode != 0
        for fragment in expected["refused"]:
            assert fragment in done.stdout + done.stderr
        return
    submission = json.loads(done.stdout)
    assert submission["state"] == expected["state"], submission
    assert (done.returncode == 0) == (expected["state"] == "scored")
    if "score" in expected:
        assert submission["score"] == expected["score"]
    if "below" in expected:
        assert submission["score"] < expected["below"]
    assert submission["phase"] == expected.get("phase", submission["phase"])
    for fragment in expected.get("message", []):
        assert fragment in submission["message"]
    shown = str(submission) + done.stdout + done.stderr + everything_shown(platform, name)
    for canary in expected.get("hidden", []):
        assert canary not in shown


def test_when_all_have_ended_nothing_is_left_running(platform: Any, sessions: dict[str, str]) -> None:
    for name in sessions.values():
        platform.wait_for(name)
    assert not list((platform.data / "worker/boxes").iterdir())
    with sqlite3.connect(f"file:{platform.data / 'nsml.sqlite'}?mode=ro", uri=True) as rows:
        states = {state for (state,) in rows.execute("SELECT DISTINCT state FROM runs")}
    assert states <= {"exited", "failed", "stopped"}
