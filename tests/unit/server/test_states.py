"""One table of moves: what it lists works, all else is refused, and every road ends."""

from itertools import product

import pytest

from nsml_server.domain.states import RUN_NEXT, SUBMISSION_NEXT, RunState, SubmissionState, advance, take_up
from nsml_server.errors import IllegalMove


def test_every_state_has_a_row() -> None:
    assert set(RUN_NEXT) == set(RunState)
    assert set(SUBMISSION_NEXT) == set(SubmissionState)


@pytest.mark.parametrize(("current", "target"), list(product(RunState, RunState)))
def test_a_run_moves_as_listed_and_in_no_other_way(current: RunState, target: RunState) -> None:
    if target in RUN_NEXT[current]:
        assert advance(current, target) is target
    else:
        with pytest.raises(IllegalMove, match=f"{current} cannot become {target}"):
            advance(current, target)


@pytest.mark.parametrize(("current", "target"), list(product(SubmissionState, SubmissionState)))
def test_a_submission_moves_as_listed_and_in_no_other_way(current: SubmissionState, target: SubmissionState) -> None:
    if target in SUBMISSION_NEXT[current]:
        assert advance(current, target) is target
    else:
        with pytest.raises(IllegalMove):
            advance(current, target)


@pytest.mark.parametrize("start", RunState)
def test_every_run_can_reach_an_end(start: RunState) -> None:
    reached = {start}
    for _ in RunState:
        reached |= {following for state in reached for following in RUN_NEXT[state]}
    assert any(state.is_final for state in reached)


def test_final_states_are_those_that_nothing_follows() -> None:
    assert {state for state in RunState if state.is_final} == {"exited", "failed", "stopped"}
    assert {state for state in SubmissionState if state.is_final} == {"scored", "failed", "cancelled"}


@pytest.mark.parametrize("state", [RunState.PLACED, RunState.PREPARING, RunState.RUNNING, RunState.PAUSED])
def test_a_run_whose_lease_is_lost_goes_back_to_the_line(state: RunState) -> None:
    assert advance(state, RunState.QUEUED) is RunState.QUEUED


def test_a_run_that_is_being_stopped_is_never_placed_again() -> None:
    assert RUN_NEXT[RunState.STOPPING] == {RunState.EXITED, RunState.FAILED, RunState.STOPPED}


def test_only_what_has_ended_and_was_not_stopped_is_taken_up_again() -> None:
    assert {state: take_up(state) for state in (RunState.EXITED, RunState.FAILED)} == {
        "exited": "queued",
        "failed": "queued",
    }
    ended = (SubmissionState.SCORED, SubmissionState.FAILED)
    assert {state: take_up(state) for state in ended} == {"scored": "scoring", "failed": "scoring"}


@pytest.mark.parametrize("state", [s for s in RunState if s not in ("exited", "failed")])
def test_no_other_run_is_taken_up_again(state: RunState) -> None:
    with pytest.raises(IllegalMove, match=f"{state} cannot become queued"):
        take_up(state)


@pytest.mark.parametrize("state", [s for s in SubmissionState if s not in ("scored", "failed")])
def test_no_other_submission_is_taken_up_again(state: SubmissionState) -> None:
    with pytest.raises(IllegalMove, match=f"{state} cannot become scoring"):
        take_up(state)
