"""Facts from workers, applied in order and once: what they mean for a run is decided here, by the table of states."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from sqlalchemy.exc import IntegrityError

from nsml_server.domain import journal
from nsml_server.domain.names import escaped
from nsml_server.domain.reasons import Reason
from nsml_server.domain.states import RunState
from nsml_server.errors import AttemptOver, Conflict, Invalid, Unavailable
from nsml_server.services import attempts, checkpoints, endings, products, runs, specs
from nsml_server.services.platform import Platform
from nsml_server.storage.database import WriteTransaction
from nsml_server.storage.repositories import runs as run_rows
from nsml_server.storage.tables import Run
from nsml_server.version import SAME_VERSION
from nsml_worker.contract import Ended, EndReason, EventKind, RunEvent

MAX_PREPARING = 200  # characters of what a worker says it is doing
LATE = 120.0  # seconds a worker has to report the end of a run beyond its time limit
TRIES = 2  # of two that make the same row at once one fails, and finds it the second time
FOLDED = 2**20  # bytes of the journal read at a time
_REASONS = frozenset(reason.value for reason in EndReason)

log = structlog.get_logger()


def apply(platform: Platform, run_id: int, token: str, number: int, told: Sequence[RunEvent]) -> int:
    """Apply the facts that are new and follow on without a gap; returns the last one applied so far.

    Raises:
        AttemptOver: the attempt no longer counts and something new is told of it.
        Unavailable: it cannot be applied now. A worker keeps what it has to tell, and tells it again.
    """
    if any(event.kind is EventKind.ENDED for event in told):
        platform.streams.settle(run_id)  # an end is not accepted before what was written is on the disk
    for _ in range(TRIES):
        try:
            return _apply(platform, run_id, token, number, told)
        except AttemptOver:
            raise
        except (Conflict, IntegrityError) as clash:
            log.warning("facts_clashed", run=run_id, attempt=number, said=str(clash)[:500])
    raise Unavailable(f"What is told of run {run_id} clashes with something that is done to it at the same moment.")


def _apply(platform: Platform, run_id: int, token: str, number: int, told: Sequence[RunEvent]) -> int:
    with platform.database.write() as tx:
        run_rows.lock(tx, [run_id])
        run, attempt = attempts.require_known(tx, run_id, token)
        if attempt.number != number:
            raise AttemptOver(f"This token is not of attempt {number} of run {run_id}.")
        if all(event.seq <= attempt.seq for event in told):
            return attempt.seq
        attempts.require_current(tx, run_id, token)
        for event in told:
            if event.seq == attempt.seq + 1:
                attempt.seq = event.seq
                tx.flush()
                _HANDLERS[event.kind](platform, tx, run, event.data)
        return attempt.seq


def fold_journal(platform: Platform, run_id: int) -> None:
    """Bring the run's summary up to the end of its journal; what was folded before is not read again."""
    with platform.database.read() as tx:
        begin = runs.find(tx, run_id).journal_read
    data = platform.streams.read(run_id, attempts.EVENTS, begin, FOLDED)
    end = data.rfind(b"\n") + 1
    # A line longer than any we take is stepped over, or it would hold up the rest for good.
    end = end or (len(data) if len(data) > journal.MAX_LINE else 0)
    if not end:
        return
    with platform.database.write() as tx:
        run = runs.hold(tx, run_id)
        if run.journal_read != begin:
            return
        if _fold(run, data[:end]):
            runs.tell(platform, tx, run)
        run.journal_read = begin + end
        tx.flush()
    if end < len(data) or len(data) == FOLDED:
        fold_journal(platform, run_id)


def _fold(run: Run, data: bytes) -> bool:
    """Whether there is anything new to show."""
    summary, phase = run.summary, run.phase
    for raw in data.split(b"\n"):
        line = journal.parse(raw) if raw else None
        if line is None:
            continue
        summary = journal.fold(summary, line)
        if line["k"] == journal.PHASE:
            phase = line["phase"]
        elif line["k"] == journal.PAUSED:
            phase = phase or "start"
    changed = (summary, phase) != (run.summary, run.phase)
    run.summary, run.phase = summary, phase
    return changed


def _preparing(platform: Platform, tx: WriteTransaction, run: Run, data: dict[str, Any]) -> None:
    if run.state is RunState.PREPARING:
        run.preparing = escaped(str(data.get("text", "")), MAX_PREPARING)
        tx.flush()
        runs.tell(platform, tx, run)


def _started(platform: Platform, tx: WriteTransaction, run: Run, _: dict[str, Any]) -> None:
    if run.state is not RunState.PREPARING:
        return  # it was asked to stop meanwhile
    limit = specs.limits_of(platform, run).wall_clock
    deadline = None if limit is None else platform.now() + limit + LATE
    runs.move(platform, tx, run, RunState.RUNNING, started_at=platform.now(), deadline=deadline, preparing=None)


def _paused(platform: Platform, tx: WriteTransaction, run: Run, _: dict[str, Any]) -> None:
    if run.state is RunState.RUNNING:
        runs.move(platform, tx, run, RunState.PAUSED)


def _checkpoint(platform: Platform, tx: WriteTransaction, run: Run, data: dict[str, Any]) -> None:
    checkpoints.take(platform, tx, run, data)


def _files(platform: Platform, tx: WriteTransaction, run: Run, data: dict[str, Any]) -> None:
    products.take(platform, tx, run, data)


def _ended(platform: Platform, tx: WriteTransaction, run: Run, data: dict[str, Any]) -> None:
    ended = _read_end(data)
    if ended.reason is EndReason.EXITED:
        _started(platform, tx, run, {})  # what has ended well was started, whether that was told or not
    endings.conclude(platform, tx, run, Reason(ended.reason), ended)


def _read_end(data: dict[str, Any]) -> Ended:
    """A reason that only a newer worker knows counts as our own fault: nobody is blamed for it, and it is tried again.

    Raises:
        Invalid: it makes no sense at all.
    """
    reason = data.get("reason")
    if isinstance(reason, str) and reason not in _REASONS:
        detail = f"the worker is newer than the server, which does not know the end {reason[:MAX_PREPARING]!r}"
        data = {**data, "reason": EndReason.NODE_ERROR.value, "detail": detail}
    try:
        ended = Ended.from_dict(data)
    except ValueError as error:
        raise Invalid(f"This end cannot be read: {error}.", hint=SAME_VERSION) from error
    return dataclasses.replace(ended, detail=escaped(" ".join(ended.detail.split()), runs.MAX_DETAIL))


def _pass_over(_platform: Platform, _tx: WriteTransaction, run: Run, _data: dict[str, Any]) -> None:
    log.warning("unknown_event", run=run.id, attempt=run.attempt)


_HANDLERS: dict[EventKind, Callable[[Platform, WriteTransaction, Run, dict[str, Any]], None]] = {
    EventKind.PREPARING: _preparing,
    EventKind.STARTED: _started,
    EventKind.PAUSED: _paused,
    EventKind.CHECKPOINT: _checkpoint,
    EventKind.FILES: _files,
    EventKind.ENDED: _ended,
    EventKind.OTHER: _pass_over,
}
