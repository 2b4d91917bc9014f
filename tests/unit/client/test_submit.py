"""`nsmlctl submit`: phases as they come, then score and rank, or the reason why not."""

import json
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from nsmlctl.errors import ServerAway

Run = Callable[..., Any]
HAND_IN = "/sessions/kim/kin/1/submissions"


@pytest.fixture(autouse=True)
def a_platform_that_scores(platform: Any, submission: Any) -> None:
    platform.on("POST", HAND_IN, submission())
    platform.on(
        "GET",
        "/submissions/7",
        submission(version=2, state="predicting", phase="load"),
        submission(version=3, state="scoring"),
        submission(version=4, state="scored", final=True, score=0.9855, rank=2, best=True),
    )


def test_each_phase_is_told_then_score_and_rank(nsmlctl: Run) -> None:
    outcome = nsmlctl("submit", "kim/kin/1")
    assert outcome.code == 0
    assert outcome.out.splitlines() == ["Score: 0.9855", "Rank: 2 on kin", "Done"]
    told = [line.split("] ")[1] for line in outcome.err.splitlines() if line.startswith("[")]
    assert told == ["queued", "predicting: load", "scoring"]


def test_the_next_answer_is_asked_for_when_something_changes(nsmlctl: Run, platform: Any) -> None:
    nsmlctl("submit", "kim/kin/1")
    assert [call.query["seen"] for call in platform.called("GET", "/submissions/7")] == ["1", "2", "3"]
    assert all(int(call.query["wait"]) >= 10 for call in platform.called("GET", "/submissions/7"))


def test_the_checkpoint_is_the_server_s_choice_unless_named(nsmlctl: Run, platform: Any) -> None:
    nsmlctl("submit", "kim/kin/1")
    nsmlctl("submit", "kim/kin/1", "best")
    assert [call.content["checkpoint"] for call in platform.called("POST", HAND_IN)] == [None, "best"]


def test_a_score_below_one_s_best_says_so(nsmlctl: Run, platform: Any, submission: Any) -> None:
    ended = submission(state="scored", final=True, score=0.1, rank=2, best=False)
    platform.on("POST", HAND_IN, ended)
    assert "Rank: 2 on kin; your best score stays" in nsmlctl("submit", "kim/kin/1").out


def test_a_failure_is_exit_code_1_with_its_sentence(nsmlctl: Run, platform: Any, submission: Any) -> None:
    message = "load: FileNotFoundError in main.py line 12: open('vocab.pkl')."
    ended = submission(state="failed", final=True, reason="load_failed", message=message)
    platform.on("GET", "/submissions/7", ended)
    outcome = nsmlctl("submit", "kim/kin/1")
    assert outcome.code == 1
    assert message in outcome.err
    assert outcome.out == ""


def test_json_is_the_submission_alone_also_when_it_failed(nsmlctl: Run, platform: Any, submission: Any) -> None:
    assert json.loads(nsmlctl("submit", "kim/kin/1", "-j").out)["score"] == 0.9855
    platform.on("GET", "/submissions/7", submission(state="failed", final=True, message="No."))
    outcome = nsmlctl("submit", "kim/kin/1", "-j")
    assert json.loads(outcome.out)["message"] == "No."
    assert outcome.code == 1


def test_a_waiting_submit_says_for_what(nsmlctl: Run, platform: Any, submission: Any) -> None:
    platform.on(
        "POST", HAND_IN, submission(waiting={"text": "both lanes are busy; 1. in line", "position": 1, "seconds": 0})
    )
    assert "queued, both lanes are busy; 1. in line" in nsmlctl("submit", "kim/kin/1").err


def test_the_moment_of_being_handed_over_is_not_called_waiting(nsmlctl: Run, platform: Any, submission: Any) -> None:
    platform.on("POST", HAND_IN, submission(waiting={"text": "waits for a place", "position": None, "seconds": 0.01}))
    assert "waits" not in nsmlctl("submit", "kim/kin/1").err


def test_no_wait_leaves_at_once_and_says_where_to_look(nsmlctl: Run, platform: Any) -> None:
    outcome = nsmlctl("submit", "kim/kin/1", "--no-wait")
    assert outcome.code == 0
    assert "nsmlctl dataset board kin --mine" in outcome.out
    assert not platform.called("GET", "/submissions/7")


def test_ctrl_c_leaves_the_submit_going_and_tells_how_to_look_again(nsmlctl: Run, platform: Any) -> None:
    platform.on("GET", "/submissions/7", KeyboardInterrupt())
    outcome = nsmlctl("submit", "kim/kin/1")
    assert outcome.code == 130
    assert "Submit 7 goes on" in outcome.err
    assert "nsmlctl dataset board kin --mine" in outcome.err
    assert "to end it: nsmlctl submit --cancel kim/kin/1" in outcome.err


def test_ctrl_c_while_it_is_handed_in_still_tells_which_it_is(nsmlctl: Run, platform: Any, submission: Any) -> None:
    def interrupted(_: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return submission()

    platform.on("POST", HAND_IN, interrupted)
    outcome = nsmlctl("submit", "kim/kin/1")
    assert outcome.code == 130
    assert "Submit 7 goes on" in outcome.err


def test_a_server_that_restarts_meanwhile_is_waited_for(nsmlctl: Run, platform: Any, submission: Any) -> None:
    ended = submission(state="scored", final=True, score=1.0, rank=1, best=True)
    platform.on("GET", "/submissions/7", ServerAway("away"), ServerAway("away"), ended)
    assert "Score: 1.0" in nsmlctl("submit", "kim/kin/1").out


def test_no_such_checkpoint_is_exit_code_4(nsmlctl: Run, platform: Any, refuse: Any) -> None:
    platform.on("POST", HAND_IN, refuse(404, "no_such_checkpoint", "kim/kin/1 has no checkpoint 9.", hint="It has: 1."))
    outcome = nsmlctl("submit", "kim/kin/1", "9")
    assert outcome.code == 4
    assert "It has: 1." in outcome.err


class TestCancel:
    OPEN = ({"id": 7, "kind": "submit", "checkpoint": "3", "state": "predicting"},)
    BOTH = (*OPEN, {"id": 6, "kind": "rehearse", "checkpoint": "best", "state": "queued"})

    @pytest.fixture(autouse=True)
    def two_that_go_on(self, platform: Any, session: Any, submission: Any) -> None:
        ended = session(final=True, state="exited", open_submissions=self.BOTH)
        platform.on("GET", "/sessions/kim/kin/1", ended)
        platform.on("GET", "/sessions", {"sessions": [ended]})
        platform.on("POST", "/sessions/kim/kin/1/stop", ended)
        platform.on("DELETE", "/sessions/kim/kin/1", {})
        platform.on("POST", "/submissions/7/cancel", submission(state="cancelled", final=True))
        rehearsal = submission(id=6, rehearsal=True, checkpoint="best", state="cancelled", final=True)
        platform.on("POST", "/submissions/6/cancel", rehearsal)

    def cancelled(self, platform: Any) -> list[str]:
        return [call.path for call in platform.calls if call.path.endswith("/cancel")]

    def test_ps_shows_what_goes_on_and_how_to_end_it(self, nsmlctl: Run) -> None:
        assert nsmlctl("ps").err.splitlines() == [
            "kim/kin/1: Submit 7 of checkpoint 3 is predicting; to end it: nsmlctl submit --cancel kim/kin/1",
            "kim/kin/1: Rehearsal 6 of checkpoint best is queued; to end it: nsmlctl submit --cancel kim/kin/1",
        ]

    def test_all_of_a_session_are_ended(self, nsmlctl: Run, platform: Any) -> None:
        outcome = nsmlctl("submit", "--cancel", "kim/kin/1")
        assert outcome.code == 0
        assert outcome.out.splitlines() == [
            "Submit 7 of checkpoint 3: cancelled",
            "Rehearsal 6 of checkpoint best: cancelled",
        ]
        assert not platform.called("POST", HAND_IN)

    def test_or_those_of_one_checkpoint(self, nsmlctl: Run, platform: Any) -> None:
        told = json.loads(nsmlctl("submit", "--cancel", "-j", "kim/kin/1", "best").out)
        assert [each["id"] for each in told["submissions"]] == [6]
        assert self.cancelled(platform) == ["/submissions/6/cancel"]

    def test_where_nothing_goes_on_it_is_exit_code_4(self, nsmlctl: Run, platform: Any) -> None:
        outcome = nsmlctl("submit", "--cancel", "kim/kin/1", "9")
        assert outcome.code == 4
        assert "No submit of checkpoint 9 of kim/kin/1 goes on." in outcome.err
        assert not self.cancelled(platform)

    def test_rm_ends_them_only_by_force(self, nsmlctl: Run, platform: Any) -> None:
        nsmlctl("rm", "kim/kin/1")
        assert not self.cancelled(platform)
        assert nsmlctl("rm", "-f", "kim/kin/1").err.splitlines() == [
            "Submit 7 of checkpoint 3: cancelled",
            "Rehearsal 6 of checkpoint best: cancelled",
        ]
        paths = [call.path for call in platform.calls]
        assert paths[-3:] == ["/submissions/7/cancel", "/submissions/6/cancel", "/sessions/kim/kin/1"]

    def test_stop_leaves_them_and_says_how_to_end_them(self, nsmlctl: Run, platform: Any) -> None:
        outcome = nsmlctl("stop", "kim/kin/1")
        assert "Submit 7 of it goes on; to end it: nsmlctl submit --cancel kim/kin/1" in outcome.err
        assert not self.cancelled(platform)
