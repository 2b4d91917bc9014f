"""Runs: made, moved by the table of states, given back to the line, ended. Nobody else writes a run's state."""

from __future__ import annotations

from typing import Any

from nsml_server.domain import states
from nsml_server.domain.reasons import Reason, outcome
from nsml_server.domain.states import RunState, advance
from nsml_server.errors import NotFound
from nsml_server.services import credits
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.repositories import outbox, runs, submissions
from nsml_server.storage.tables import Attempt, Outgoing, Run
from nsml_worker.contract import TASK_STOP

MAX_NOTICES = 50  # of one run
MAX_DETAIL = 2000  # characters of a worker's own words that are kept


def find(tx: ReadTransaction, run_id: int) -> Run:
    """The run of this id. Raises NotFound."""
    run = runs.of_id(tx, run_id)
    if run is None:
        raise NotFound(f"There is no run {run_id}.")
    return run


def hold(tx: WriteTransaction, run_id: int) -> Run:
    """The run as it is now, and nobody else moves it until our commit. Raises NotFound."""
    if not runs.lock(tx, [run_id]):
        raise NotFound(f"There is no run {run_id}.")
    return find(tx, run_id)


def move(platform: Platform, tx: WriteTransaction, run: Run, target: RunState, **values: Any) -> None:
    """One move by the table of a run that is held, and the values that go with it; followers are told after the commit.

    Raises:
        IllegalMove: the table does not list it.
        Conflict: the run was not held, and somebody else moved it since it was read.
    """
    runs.change(tx, run, {"state": advance(run.state, target), **values})
    tell(platform, tx, run)


def tell(platform: Platform, tx: WriteTransaction, run: Run) -> None:
    """Something of this run has changed."""
    platform.tell(tx, f"session:{run.id}")
    if run.submission_id is not None:
        submissions.touch(tx, [run.submission_id])
        platform.tell(tx, f"submission:{run.submission_id}")
    if run.state.is_final:
        # Whoever follows the log has to learn that nothing more will come.
        platform.tell(tx, f"stream:{run.id}:log", f"stream:{run.id}:events")


def notice(platform: Platform, tx: WriteTransaction, run: Run, text: str) -> None:
    """Something its owner is to know though the run goes on; shown with the session, and at the end of its log."""
    if len(run.notices) < MAX_NOTICES and text not in run.notices:
        run.notices = [*run.notices, text]
        tx.flush()
        tell(platform, tx, run)


def queue_again(platform: Platform, tx: WriteTransaction, run: Run, *, blame: bool) -> None:
    """Back into the line, at its old place. `blame`: the attempt counts as one that failed by our fault."""
    freed: dict[str, Any] = {
        "node_id": None,
        "devices": [],
        "lease_until": None,
        "deadline": None,
        "preparing": None,
        "phase": None,
    }
    values = {**freed, "faults": run.faults + (1 if blame else 0), "started_at": None}
    move(platform, tx, run, RunState.QUEUED, **values)
    _close(platform, tx, run, None)
    outbox.delete_of_run(tx, run.id)
    platform.hurry(tx)


def take_up(platform: Platform, tx: WriteTransaction, run: Run, version_id: int) -> None:
    """Into the line once more though it has ended, on this version of its dataset: the next attempt is another one."""
    emptied = dict.fromkeys(("node_id", "phase", "reason", "message", "exit_code", "started_at", "ended_at"))
    values: dict[str, Any] = {
        **emptied,
        "devices": [],
        "faults": 0,
        "version_id": version_id,
        "queued_at": platform.now(),
    }
    runs.change(tx, run, {"state": states.take_up(run.state), **values})
    tell(platform, tx, run)


def end(
    platform: Platform,
    tx: WriteTransaction,
    run: Run,
    state: RunState,
    reason: Reason,
    message: str | None,
    exit_code: int | None = None,
) -> None:
    """The last move. Its place is free, its tokens open nothing more."""
    values = {
        "reason": reason.value,
        "message": message,
        "exit_code": exit_code,
        "ended_at": platform.now(),
        "lease_until": None,
        "deadline": None,
        "preparing": None,
    }
    move(platform, tx, run, state, **values)
    _close(platform, tx, run, reason)
    credits.charge(platform, tx, run, reason)
    outbox.delete_of_run(tx, run.id)
    platform.hurry(tx)


def ask_to_stop(platform: Platform, tx: WriteTransaction, run: Run, why: Reason = Reason.STOPPED) -> None:
    """What no worker has begun ends at once; what runs is asked to end, and made to when it does not."""
    run = hold(tx, run.id)
    if run.state in (RunState.QUEUED, RunState.PLACED):
        message = None if why is Reason.STOPPED else outcome(why).describe()
        end(platform, tx, run, RunState.STOPPED, why, message)
    elif not run.state.is_final and run.state is not RunState.STOPPING:
        now = platform.now()
        asked = {"stop_reason": None if why is Reason.STOPPED else why.value, "stop_asked_at": now}
        move(platform, tx, run, RunState.STOPPING, deadline=now + platform.settings.stop_limit, **asked)
        if run.node is not None:
            tx.add(Outgoing(node=run.node.name, task=TASK_STOP, run_id=run.id, token=""))
        platform.hurry(tx)


def attempt_of(tx: ReadTransaction, run: Run) -> Attempt:
    """The attempt that counts now. Raises NotFound when there was none yet."""
    attempt = runs.attempt_of(tx, run)
    if attempt is None:
        raise NotFound(f"Run {run.id} has not been placed yet.")
    return attempt


def _close(platform: Platform, tx: WriteTransaction, run: Run, reason: Reason | None) -> None:
    if run.attempt:
        runs.close_attempt(tx, run, {"ended_at": platform.now(), "reason": reason.value if reason else None})
