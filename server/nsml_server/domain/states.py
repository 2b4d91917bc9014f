"""The states of runs and submissions, and every move between them. Nobody else keeps a list of states."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from nsml_server.errors import IllegalMove


class RunState(StrEnum):
    """Where one execution stands."""

    QUEUED = "queued"
    PLACED = "placed"
    PREPARING = "preparing"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    EXITED = "exited"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def is_final(self) -> bool:
        """Whether nothing can follow."""
        return not RUN_NEXT[self]


class SubmissionState(StrEnum):
    """Where one submit stands: predict, then score."""

    QUEUED = "queued"
    PREDICTING = "predicting"
    SCORING = "scoring"
    SCORED = "scored"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing can follow."""
        return not SUBMISSION_NEXT[self]


_R, _S = RunState, SubmissionState
_ENDS = frozenset({_R.EXITED, _R.FAILED, _R.STOPPED})

# Back to QUEUED: the lease was lost, or our own fault ended the attempt, and the run is placed again.
RUN_NEXT: dict[RunState, frozenset[RunState]] = {
    _R.QUEUED: frozenset({_R.PLACED, _R.FAILED, _R.STOPPED}),
    _R.PLACED: frozenset({_R.PREPARING, _R.STOPPING, _R.FAILED, _R.STOPPED, _R.QUEUED}),
    _R.PREPARING: frozenset({_R.RUNNING, _R.STOPPING, _R.FAILED, _R.STOPPED, _R.QUEUED}),
    _R.RUNNING: frozenset({_R.PAUSED, _R.STOPPING, _R.QUEUED}) | _ENDS,
    _R.PAUSED: frozenset({_R.RUNNING, _R.STOPPING, _R.QUEUED}) | _ENDS,
    _R.STOPPING: _ENDS,
    _R.EXITED: frozenset(),
    _R.FAILED: frozenset(),
    _R.STOPPED: frozenset(),
}

SUBMISSION_NEXT: dict[SubmissionState, frozenset[SubmissionState]] = {
    _S.QUEUED: frozenset({_S.PREDICTING, _S.FAILED, _S.CANCELLED}),
    # To SCORED at once: a rehearsal on a sample without labels.
    _S.PREDICTING: frozenset({_S.SCORING, _S.SCORED, _S.FAILED, _S.CANCELLED}),
    _S.SCORING: frozenset({_S.SCORED, _S.FAILED, _S.CANCELLED}),
    _S.SCORED: frozenset(),
    _S.FAILED: frozenset(),
    _S.CANCELLED: frozenset(),
}

# What an organiser may have done again: the score of a prediction that is kept. Nobody else leaves a final state.
RUN_AGAIN = {_R.EXITED: _R.QUEUED, _R.FAILED: _R.QUEUED}
SUBMISSION_AGAIN = {_S.SCORED: _S.SCORING, _S.FAILED: _S.SCORING}

State = TypeVar("State", RunState, SubmissionState)


def advance(current: State, target: State) -> State:
    """Returns `target` when the table lists the move.

    Raises:
        IllegalMove: it does not; staying where one is counts as a move and is never listed.
    """
    allowed = RUN_NEXT[current] if isinstance(current, RunState) else SUBMISSION_NEXT[current]
    if target not in allowed:
        raise IllegalMove(current, target)
    return target


def take_up(current: State) -> State:
    """Where something that has ended goes on when its score is measured again.

    Raises:
        IllegalMove: it has not ended, or was stopped or cancelled.
    """
    again = RUN_AGAIN.get(current) if isinstance(current, RunState) else SUBMISSION_AGAIN.get(current)
    if again is None:
        raise IllegalMove(current, RunState.QUEUED if isinstance(current, RunState) else SubmissionState.SCORING)
    return again
