""".ci/run as it goes from step to step; the commands it calls only say what they were told."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci/run"
REPEATS = '#!/bin/sh\necho "$(basename "$0") $*" >>"$CALLED"\n'
DOCKER = REPEATS + '[ "$1" != version ] || [ -e "$ANSWERS" ]\n'
ENGINE = REPEATS + 'touch "$ANSWERS"\nexec sleep 60\n'
BROKEN = REPEATS + "echo no control groups >&2\nexit 1\n"
MAKE = REPEATS + '[ "$1" != "$FAILING" ]\n'


@pytest.fixture
def check(tmp_path: Path) -> Any:
    """Runs the script in a folder of its own. Returns its outcome and what it called."""
    (tmp_path / ".ci").mkdir()
    (tmp_path / "bin").mkdir()
    shutil.copy(SCRIPT, tmp_path / ".ci/run")

    def run(engine: str = ENGINE, answers: bool = False, failing: str = "") -> tuple[Any, list[str]]:
        programs = {"docker": DOCKER, "dockerd": engine, "make": MAKE, "apt-get": REPEATS}
        for name, text in programs.items():
            (tmp_path / "bin" / name).write_text(text)
            (tmp_path / "bin" / name).chmod(0o755)
        told, there = tmp_path / "told", tmp_path / "answers"
        if answers:
            there.touch()
        environment = {
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "CALLED": str(told), "ANSWERS": str(there), "FAILING": failing,
        }  # fmt: skip
        done = subprocess.run(
            [tmp_path / ".ci/run"], env={**os.environ, **environment}, capture_output=True, text=True, timeout=180
        )
        return done, told.read_text().splitlines()

    return run


def test_everything_is_done_in_order_and_each_step_says_how_long_it_took(check: Any) -> None:
    done, told = check()
    assert done.returncode == 0, done.stderr
    assert [line for line in told if line.startswith(("dockerd", "make"))] == [
        "dockerd ",
        "make setup",
        "make -j3 --output-sync=target frameworks runtimes",
        "make test",
        "make demo",
    ]
    summary = done.stdout.split("== all is well\n")[1].splitlines()
    assert [line.split("s  ", 1)[1] for line in summary] == [
        *("Debian packages", "Docker compose", "Docker engine", "images, or their stand-ins", "environment"),
        *("frameworks and runtimes", "tests", "demo", "in all"),
    ]


def test_an_engine_that_answers_is_used_as_it_is(check: Any) -> None:
    _, told = check(answers=True)
    assert "dockerd " not in told


def test_an_engine_that_cannot_be_started_ends_it_with_its_own_words(check: Any) -> None:
    done, told = check(engine=BROKEN)
    assert done.returncode == 1
    assert "no control groups" in done.stderr
    assert "make setup" not in told


def test_a_step_that_fails_ends_it_and_is_named(check: Any) -> None:
    done, told = check(failing="test")
    assert done.returncode == 1
    assert "make demo" not in told
    assert "tests: not finished" in done.stdout.split("== FAILED (1)\n")[1]
