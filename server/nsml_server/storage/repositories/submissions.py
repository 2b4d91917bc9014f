"""Submits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.orm import joinedload

from nsml_server.domain.ranking import Order
from nsml_server.domain.states import SubmissionState
from nsml_server.errors import Conflict
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.tables import Dataset, DatasetVersion, Session, Submission

UNDER_WAY = [state for state in SubmissionState if not state.is_final]


def of_id(tx: ReadTransaction, submission_id: int) -> Submission | None:
    """One submit with its session and dataset."""
    return tx.scalar(_whole().where(Submission.id == submission_id))


def of_user(tx: ReadTransaction, user_id: int, dataset: str | None, last: int) -> Sequence[Submission]:
    """A user's submits, newest first."""
    found = _whole().where(Submission.user_id == user_id)
    if dataset is not None:
        found = found.join(Submission.dataset).where(Dataset.name == dataset)
    return tx.scalars(found.order_by(Submission.id.desc()).limit(last)).all()


def of_session(tx: ReadTransaction, session_id: int) -> Sequence[Submission]:
    """A session's submits, newest first."""
    return tx.scalars(_whole().where(Submission.session_id == session_id).order_by(Submission.id.desc())).all()


def scored(tx: ReadTransaction, dataset_id: int, user_id: int | None = None) -> Sequence[Submission]:
    """All submits of a dataset whose score counts, as they came: no rehearsals, and none measured by another metric.

    One that is being scored again keeps its score until the new one is there.
    """
    found = _whole().join(Submission.dataset).join(Submission.dataset_version)
    found = found.where(Submission.dataset_id == dataset_id, Submission.score.is_not(None))
    found = found.where(Submission.sample.is_(None), DatasetVersion.metric == Dataset.metric)
    if user_id is not None:
        found = found.where(Submission.user_id == user_id)
    return tx.scalars(found.order_by(Submission.id)).all()


def ended_for(tx: ReadTransaction, dataset_id: int, reasons: Collection[str]) -> Sequence[Submission]:
    """Submits of a dataset that have a prediction and failed for one of these reasons; no rehearsals."""
    found = _whole().where(Submission.dataset_id == dataset_id, Submission.state == SubmissionState.FAILED)
    found = found.where(Submission.reason.in_(reasons), Submission.prediction_hash.is_not(None))
    return tx.scalars(found.where(Submission.sample.is_(None))).all()


def scores_of(tx: ReadTransaction, session_ids: Sequence[int]) -> Sequence[tuple[int, float, Order]]:
    """(session, score, order of its board) of those submits of these sessions whose score counts."""
    found = select(Submission.session_id, Submission.score, Dataset.order)
    found = found.join(Submission.dataset).join(Submission.dataset_version)
    found = found.where(Submission.session_id.in_(session_ids), Submission.score.is_not(None))
    found = found.where(Submission.sample.is_(None), DatasetVersion.metric == Dataset.metric)
    return [(session_id, score, order) for session_id, score, order in tx.execute(found) if score is not None]


def is_under_way(tx: ReadTransaction, session_id: int) -> bool:
    """Whether a submit of this session has not ended."""
    found = select(Submission.id).where(Submission.session_id == session_id, Submission.state.in_(UNDER_WAY))
    return tx.scalar(found.limit(1)) is not None


def change(tx: WriteTransaction, submission: Submission, values: dict[str, Any]) -> None:
    """Change what still is in the state that was read.

    Raises:
        Conflict: somebody moved it meanwhile.
    """
    guarded = update(Submission).where(Submission.id == submission.id, Submission.state == submission.state)
    counted = guarded.values(version=Submission.version + 1, **values).returning(Submission.version)
    if tx.execute(counted, execution_options={"synchronize_session": False}).scalar() is None:
        raise Conflict(f"Submission {submission.id} has moved on meanwhile.", hint="Look at it again.")
    tx.refresh(submission, [*values, "version"])


def touch(tx: WriteTransaction, submission_id: int) -> None:
    """Something that is shown with it has changed: its followers look again."""
    counted = update(Submission).where(Submission.id == submission_id).values(version=Submission.version + 1)
    tx.execute(counted, execution_options={"synchronize_session": False})


def _whole() -> Select[Submission]:
    session = joinedload(Submission.session)
    return select(Submission).options(
        session.options(joinedload(Session.user), joinedload(Session.run)),
        joinedload(Submission.dataset).joinedload(Dataset.owner),
    )
