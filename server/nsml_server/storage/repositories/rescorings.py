"""Submits that were scored again, and the failures of a dataset's own programs that lead to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.orm import joinedload

from nsml_server.domain.states import RunState
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.tables import Attempt, DatasetVersion, Rescoring, Run, Session, Submission


def of_dataset(tx: ReadTransaction, dataset_id: int, after: int, last: int) -> Sequence[Rescoring]:
    """Of a dataset those with a larger id than `after`, newest first, with all that is shown of them."""
    session = joinedload(Rescoring.submission).joinedload(Submission.session)
    found = select(Rescoring).join(Rescoring.submission).where(Submission.dataset_id == dataset_id)
    found = found.where(Rescoring.id > after).order_by(Rescoring.id.desc()).limit(last)
    shown = joinedload(Rescoring.version), joinedload(Rescoring.former_version), joinedload(Rescoring.user)
    return tx.scalars(found.options(session.joinedload(Session.user), *shown)).all()


def is_under_way(tx: ReadTransaction, submission_id: int) -> bool:
    """Whether a submit is being scored again now."""
    found = select(Rescoring.id).where(Rescoring.submission_id == submission_id, Rescoring.ended_at.is_(None))
    return tx.scalar(found) is not None


def end(tx: WriteTransaction, submission_id: int, values: Mapping[str, Any]) -> None:
    """Write down what came of the one under way; nothing when a submit was scored for the first time."""
    open_one = (Rescoring.submission_id == submission_id, Rescoring.ended_at.is_(None))
    tx.execute(update(Rescoring).where(*open_one).values(**values), execution_options={"synchronize_session": False})


def failures(
    tx: ReadTransaction, dataset_id: int, reasons: Sequence[str], last: int
) -> Sequence[Row[Run, Submission, DatasetVersion, Attempt]]:
    """Runs for submits to a dataset that ended for one of these reasons, the latest first, with their last attempts."""
    found = select(Run, Submission, DatasetVersion, Attempt).join(Submission, Run.submission_id == Submission.id)
    found = found.join(DatasetVersion, Run.version_id == DatasetVersion.id)
    found = found.join(Attempt, (Attempt.run_id == Run.id) & (Attempt.number == Run.attempt))
    found = found.where(Submission.dataset_id == dataset_id, Run.state == RunState.FAILED, Run.reason.in_(reasons))
    session = joinedload(Submission.session).joinedload(Session.user)
    return tx.execute(found.options(session).order_by(Run.ended_at.desc(), Run.id.desc()).limit(last)).all()
