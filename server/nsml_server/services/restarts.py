"""Where a training goes on whose machine was lost: at the last checkpoint it saved, as a fork would, when it can do that."""

from __future__ import annotations

from nsml_server.domain.conventions import can_go_on
from nsml_server.domain.reasons import Reason
from nsml_server.services import runs, sources
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.repositories import checkpoints, manifests, sessions
from nsml_server.storage.repositories import runs as run_rows
from nsml_server.storage.tables import Attempt, Checkpoint, Run
from nsml_worker.contract import RunKind


def choose(platform: Platform, tx: ReadTransaction, run: Run, attempt: Attempt) -> Checkpoint | None:
    """The checkpoint this attempt begins with; None: it begins as the run does.

    A fork was given `--iteration` before and took it; of a training its source tells. One that has refused begins anew.
    """
    if run.kind not in (RunKind.TRAIN, RunKind.FORK) or has_refused(tx, run, attempt.number - 1):
        return None
    saved = checkpoints.of_session(tx, run.session_id)
    if not saved:
        return None
    return saved[-1] if run.kind is RunKind.FORK or _takes_iteration(platform, tx, run) else None


def begin_anew(platform: Platform, tx: WriteTransaction, run: Run) -> None:
    """Its program refused what was added to its arguments: into the line again, and next time without that."""
    runs.queue_again(platform, tx, run, blame=False)
    run_rows.close_attempt(tx, run, {"reason": Reason.START_FAILED.value})


def reason_of(tx: ReadTransaction, run: Run, number: int) -> str:
    """Why there is an attempt of this number, above 1, as a log says it."""
    if has_refused(tx, run, number - 1):
        return "The program did not take the checkpoint"
    before = tx.get(Attempt, (run.id, number - 1))
    # Only a scoring is begun once more after an attempt that came to an end.
    is_again = run.kind is RunKind.SCORE and before is not None and before.reason is not None
    return "The owner of the dataset has it scored again" if is_again else "The machine was lost"


def has_refused(tx: ReadTransaction, run: Run, number: int) -> bool:
    """Whether the attempt of this number was sent back by `begin_anew`."""
    before = tx.get(Attempt, (run.id, number))
    return before is not None and before.reason == Reason.START_FAILED


def _takes_iteration(platform: Platform, tx: ReadTransaction, run: Run) -> bool:
    session = sessions.of_id(tx, run.session_id)
    return session is not None and can_go_on(sources.look(platform, manifests.load(tx, session.code), session.entry))
