"""`submit -t`: the log as it grows, then the score of the sample, and nothing counts."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nsmlctl.errors import CutOff
from nsmlctl.transport import Response

Run = Callable[..., Any]
HAND_IN = "/sessions/kim/kin/1/rehearsals"


@pytest.fixture(autouse=True)
def a_platform_that_rehearses(platform: Any, submission: Any) -> None:
    platform.on("POST", HAND_IN, submission(rehearsal=True))
    platform.on(
        "GET",
        "/submissions/7",
        submission(rehearsal=True, version=2, state="predicting", phase="infer"),
        submission(rehearsal=True, version=3, state="scored", final=True, score=0.8),
    )
    whole = b"loading\ninfer 10 rows\n"
    grown = iter((b"", whole[:8], whole, whole))
    platform.on("GET", "/submissions/7/log", lambda call: next(grown)[int(call.query["offset"]) :])


def test_the_log_is_shown_once_and_the_score_after_it(nsmlctl: Run) -> None:
    outcome = nsmlctl("submit", "-t", "kim/kin/1", "best")
    assert outcome.code == 0
    assert outcome.out.splitlines()[:3] == ["loading", "infer 10 rows", "Score: 0.8"]
    assert outcome.out.count("loading") == 1
    assert outcome.out.splitlines()[-1] == "Done: a rehearsal, which counts nowhere."
    assert "Rank" not in outcome.out
    assert "Rehearsal 7" in outcome.err


def test_nothing_is_submitted(nsmlctl: Run, platform: Any) -> None:
    nsmlctl("submit", "--test", "-e", "other.py", "kim/kin/1", "best")
    assert platform.called("POST", HAND_IN)[0].content == {"checkpoint": "best", "entry": "other.py"}
    assert not platform.called("POST", "/sessions/kim/kin/1/submissions")


def test_json_is_the_rehearsal_alone(nsmlctl: Run) -> None:
    assert json.loads(nsmlctl("submit", "-t", "kim/kin/1", "-j").out)["score"] == 0.8


def test_a_sample_without_labels_has_a_sentence_instead_of_a_score(
    nsmlctl: Run, platform: Any, submission: Any
) -> None:
    ended = submission(rehearsal=True, state="scored", final=True, message="The sample has no labels.")
    platform.on("GET", "/submissions/7", ended)
    outcome = nsmlctl("submit", "-t", "kim/kin/1")
    assert outcome.code == 0
    assert "The sample has no labels." in outcome.out


def test_a_score_on_rows_of_train_is_told_with_its_caveat(nsmlctl: Run, platform: Any, submission: Any) -> None:
    said = "Rehearsed on the first 10 rows of train: seen in training, so the score is flattering."
    platform.on(
        "GET", "/submissions/7", submission(rehearsal=True, state="scored", final=True, score=1.0, message=said)
    )
    lines = nsmlctl("submit", "-t", "kim/kin/1").out.splitlines()
    assert lines[lines.index("Score: 1.0") + 1] == said


def test_a_rehearsal_that_fails_shows_its_log_and_is_exit_code_1(nsmlctl: Run, platform: Any, submission: Any) -> None:
    ended = submission(rehearsal=True, state="failed", final=True, message="load: KeyError: 'vocab'")
    platform.on("GET", "/submissions/7", ended)
    platform.on("GET", "/submissions/7/log", lambda call: b"Traceback: vocab"[int(call.query["offset"]) :])
    outcome = nsmlctl("submit", "-t", "kim/kin/1")
    assert outcome.code == 1
    assert "Traceback: vocab" in outcome.out
    assert "load: KeyError: 'vocab'" in outcome.err


def test_a_log_that_was_cut_off_goes_on_where_it_stood(nsmlctl: Run, platform: Any) -> None:
    def broken() -> Iterator[bytes]:
        yield b"load"
        raise CutOff("cut")

    platform.on("GET", "/submissions/7/log", Response(200, {}, broken()), b"ing\n", b"infer\n")
    assert "loading\ninfer\n" in nsmlctl("submit", "-t", "kim/kin/1").out
    assert [call.query["offset"] for call in platform.called("GET", "/submissions/7/log")] == ["0", "4", "8"]


def test_without_a_sample_the_platform_says_why(nsmlctl: Run, platform: Any, refuse: Any) -> None:
    platform.on("POST", HAND_IN, refuse(409, "no_sample", "kin has no sample to rehearse on."))
    outcome = nsmlctl("submit", "-t", "kim/kin/1")
    assert outcome.code == 1
    assert "no sample to rehearse on" in outcome.err


def test_ctrl_c_leaves_it_going_and_names_its_page(nsmlctl: Run, platform: Any) -> None:
    platform.on("GET", "/submissions/7", KeyboardInterrupt())
    outcome = nsmlctl("submit", "-t", "kim/kin/1")
    assert outcome.code == 130
    assert "To look again: http://nsml.test/submissions/7" in outcome.err
