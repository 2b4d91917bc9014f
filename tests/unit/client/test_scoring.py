"""`nsmlctl dataset problems` and `rescore`: for the organiser whose evaluation failed."""

import json
from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]


def row(number: int, **more: Any) -> dict[str, Any]:
    before = {"state": "failed", "score": None, "reason": "evaluation_failed", "version": 1, "ended_at": None}
    return {
        "id": number, "submission": number + 10, "user": "kim", "session": "kim/kin/1", "version": 2, "asked_by": "rose",
        "asked_at": "2020-01-01T00:00:00Z", "ended_at": None, "final": False, "score": None, "reason": None,
        "message": None, "before": before, **more,
    }  # fmt: skip


def ended(number: int, **more: Any) -> dict[str, Any]:
    return row(number, final=True, ended_at="2020-01-01T00:00:01Z", **more)


def test_a_rescore_is_followed_to_its_end(nsmlctl: Run, platform: Any) -> None:
    platform.on("POST", "/datasets/kin/rescore", {"rescorings": [row(8), row(7)], "left_out": []})
    scored = ended(7, score=0.5)
    again = ended(8, score=0.25, before={**row(8)["before"], "score": 0.75})
    platform.on("GET", "/datasets/kin/rescorings", {"rescorings": [row(8), scored]}, {"rescorings": [again, scored]})
    outcome = nsmlctl("dataset", "rescore", "kin")
    assert outcome.code == 0
    assert outcome.out.splitlines() == [
        "[1/2] Submit 17 of kim/kin/1: 0.5",
        "[2/2] Submit 18 of kim/kin/1: 0.25 (was 0.75)",
    ]
    assert platform.called("POST", "/datasets/kin/rescore")[0].content == {"all": False}
    assert platform.called("GET", "/datasets/kin/rescorings")[0].query["after"] == "6"


def test_submits_are_named_or_all_are_taken(nsmlctl: Run, platform: Any) -> None:
    platform.on("POST", "/datasets/kin/rescore", {"rescorings": [], "left_out": []})
    assert "Nothing on kin has to be scored again" in nsmlctl("dataset", "rescore", "kin", "12", "15").out
    nsmlctl("dataset", "rescore", "kin", "--all")
    sent = [call.content for call in platform.called("POST", "/datasets/kin/rescore")]
    assert sent == [{"submissions": [12, 15]}, {"all": True}]
    assert nsmlctl("dataset", "rescore", "kin", "12", "--all").code == 2


def test_many_are_begun_in_as_many_requests_as_the_platform_wants(nsmlctl: Run, platform: Any) -> None:
    first, last = ({"rescorings": [row(n)], "left_out": [], "more_after": more} for n, more in ((7, 17), (8, None)))
    platform.on("POST", "/datasets/kin/rescore", first, last)
    platform.on("GET", "/datasets/kin/rescorings", {"rescorings": [ended(8, score=0.5), ended(7, score=0.25)]})
    assert [line[:5] for line in nsmlctl("dataset", "rescore", "kin").out.splitlines()] == ["[1/2]", "[2/2]"]
    sent = [call.content for call in platform.called("POST", "/datasets/kin/rescore")]
    assert sent == [{"all": False}, {"all": False, "after": 17}]


def test_an_evaluation_that_fails_again_is_exit_code_1_and_names_the_next_step(nsmlctl: Run, platform: Any) -> None:
    platform.on("POST", "/datasets/kin/rescore", {"rescorings": [row(7)], "left_out": []})
    stays = ended(7, reason="evaluation_failed", before={**row(7)["before"], "score": 0.75})
    platform.on("GET", "/datasets/kin/rescorings", {"rescorings": [stays]})
    outcome = nsmlctl("dataset", "rescore", "kin", "-j")
    assert outcome.code == 1
    assert json.loads(outcome.out)["rescorings"] == [stays]
    assert "no score, evaluation_failed; its score 0.75 stays" in outcome.err
    assert "`nsmlctl dataset problems kin`" in outcome.err


def test_what_is_left_out_is_said_and_nothing_is_waited_for_when_asked(nsmlctl: Run, platform: Any) -> None:
    left_out = [{"submission": 3, "why": "The prediction of submission 3 was made from other test inputs."}]
    platform.on("POST", "/datasets/kin/rescore", {"rescorings": [row(7)], "left_out": left_out})
    outcome = nsmlctl("dataset", "rescore", "kin", "--no-wait")
    assert "Left as it is: The prediction of submission 3" in outcome.err
    assert "Accepted: 1 are being scored again" in outcome.out
    assert platform.called("GET", "/datasets/kin/rescorings") == []


def test_problems_show_what_went_wrong_with_the_end_of_the_log(nsmlctl: Run, platform: Any) -> None:
    problem = {
        "submission": 3, "user": "kim", "session": "kim/kin/1", "rehearsal": False, "version": 2,
        "reason": "evaluation_failed", "at": "2020-01-01T00:00:00Z", "said": "The evaluation ended with exit code 1.",
        "log": "Traceback\n\x1b[31mKeyError: 'x'\n",
    }  # fmt: skip
    platform.on("GET", "/datasets/kin/problems", {"problems": [problem]})
    out = nsmlctl("dataset", "problems", "kin").out
    assert "Submit 3: kim/kin/1, version 2 of the dataset, " in out
    assert "  The evaluation ended with exit code 1.\n  Traceback\n" in out
    assert "\x1b" not in out
    assert "nsmlctl dataset rescore kin" in out
    assert json.loads(nsmlctl("dataset", "problems", "kin", "-j").out) == {"problems": [problem]}


def test_no_problem_is_said(nsmlctl: Run, platform: Any) -> None:
    platform.on("GET", "/datasets/kin/problems", {"problems": []})
    assert nsmlctl("dataset", "problems", "kin").out == "The evaluation of kin has no failure that still stands\n"


def test_a_platform_that_cannot_says_so(nsmlctl: Run, platform: Any, refuse: Any) -> None:
    platform.on("POST", "/datasets/kin/rescore", refuse(404, "not_found", "Not Found."))
    assert "This platform does not score submits again." in nsmlctl("dataset", "rescore", "kin").err


def test_help_has_examples(nsmlctl: Run) -> None:
    for command in ("problems", "rescore"):
        assert f"nsmlctl dataset {command} kin_phase1" in nsmlctl("dataset", command, "--help").out
        assert command in nsmlctl("dataset", "--help").out
