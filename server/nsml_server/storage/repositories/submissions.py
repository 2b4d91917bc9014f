"""Submits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Select, and_, func, or_, select, update
from sqlalchemy.orm import joinedload

from nsml_server.domain.ranking import Order
from nsml_server.domain.states import SubmissionState
from nsml_server.errors import Conflict
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.tables import Dataset, DatasetVersion, Session, Submission

UNDER_WAY = [state for state in SubmissionState if not state.is_final]
# A score counts that is no rehearsal's, and was measured by the metric that is the board's now.
_COUNTS = (Submission.score.is_not(None), Submission.sample.is_(None), DatasetVersion.metric == Dataset.metric)


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
    """All submits of a dataset whose score counts, as they came.

    One that is being scored again keeps its score until the new one is there.
    """
    found = _whole().join(Submission.dataset).join(Submission.dataset_version)
    found = found.where(Submission.dataset_id == dataset_id, *_COUNTS)
    if user_id is not None:
        found = found.where(Submission.user_id == user_id)
    return tx.scalars(found.order_by(Submission.id)).all()


def counting(tx: ReadTransaction, submission_ids: Sequence[int]) -> frozenset[int]:
    """Which of these have a score that counts."""
    found = select(Submission.id).join(Submission.dataset).join(Submission.dataset_version)
    return frozenset(tx.scalars(found.where(Submission.id.in_(submission_ids), *_COUNTS)))


def predicted(
    tx: ReadTransaction, dataset_id: int, reasons: Collection[str], *, scored: bool, after: int, last: int
) -> Sequence[Submission]:
    """The first submits of a dataset after this one that failed for one of these reasons though they have a prediction.

    No rehearsals. `scored`: also those that ended with a score that counts.
    """
    which = and_(
        Submission.state == SubmissionState.FAILED,
        Submission.reason.in_(reasons),
        Submission.prediction_hash.is_not(None),
        Submission.sample.is_(None),
    )
    if scored:
        which = or_(which, and_(Submission.state == SubmissionState.SCORED, *_COUNTS))
    found = _whole().join(Submission.dataset).join(Submission.dataset_version)
    found = found.where(Submission.dataset_id == dataset_id, Submission.id > after, which)
    return tx.scalars(found.order_by(Submission.id).limit(last)).all()


def scores_of(tx: ReadTransaction, session_ids: Sequence[int]) -> Sequence[tuple[int, float, Order]]:
    """(session, score, order of its board) of those submits of these sessions whose score counts."""
    found = select(Submission.session_id, Submission.score, Dataset.order)
    found = found.join(Submission.dataset).join(Submission.dataset_version)
    found = found.where(Submission.session_id.in_(session_ids), *_COUNTS)
    return [(session_id, score, order) for session_id, score, order in tx.execute(found) if score is not None]


def count_under_way(tx: ReadTransaction, user_id: int) -> int:
    """How many submits and rehearsals of somebody have not ended."""
    mine = select(func.count()).where(Submission.user_id == user_id, Submission.state.in_(UNDER_WAY))
    return tx.scalar(mine) or 0


def under_way(tx: ReadTransaction, session_ids: Collection[int]) -> dict[int, list[Submission]]:
    """Submits and rehearsals that have not ended, newest first, by their session."""
    found = select(Submission).where(Submission.session_id.in_(session_ids), Submission.state.in_(UNDER_WAY))
    by_session: dict[int, list[Submission]] = {}
    for submission in tx.scalars(found.order_by(Submission.id.desc())):
        by_session.setdefault(submission.session_id, []).append(submission)
    return by_session


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


def touch(tx: WriteTransaction, submission_ids: Collection[int]) -> None:
    """Something that is shown with these has changed: their followers look again."""
    counted = update(Submission).where(Submission.id.in_(submission_ids)).values(version=Submission.version + 1)
    if submission_ids:
        tx.execute(counted, execution_options={"synchronize_session": False})


def _whole() -> Select[Submission]:
    session = joinedload(Submission.session)
    return select(Submission).options(
        session.options(joinedload(Session.user), joinedload(Session.run)),
        joinedload(Submission.dataset).joinedload(Dataset.owner),
    )
