"""The kept table of bests."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import joinedload

from nsml_server.domain.ranking import Order
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.tables import Best, Session, Submission


def best_of(tx: ReadTransaction, dataset_id: int, user_id: int) -> Best | None:
    """A user's row."""
    return tx.scalar(_rows(dataset_id).where(Best.user_id == user_id))


def top(tx: ReadTransaction, dataset_id: int, order: Order, limit: int) -> Sequence[Best]:
    """The first rows of a board, of equal scores the earlier first, with submission, session and user."""
    score = Best.score.desc() if order is Order.DESCENDING else Best.score
    session = joinedload(Best.submission).joinedload(Submission.session)
    found = _rows(dataset_id).order_by(score, Best.submitted_at, Best.submission_id).limit(limit)
    return tx.scalars(found.options(session.joinedload(Session.user))).all()


def count_better(tx: ReadTransaction, dataset_id: int, order: Order, score: float) -> int:
    """How many users have a strictly better score."""
    better = Best.score > score if order is Order.DESCENDING else Best.score < score
    return tx.scalar(select(func.count()).select_from(Best).where(Best.dataset_id == dataset_id, better)) or 0


def clear(tx: WriteTransaction, dataset_id: int, user_id: int | None = None) -> None:
    """Empty a board that is to be counted again, or take one user off it."""
    gone = delete(Best).where(Best.dataset_id == dataset_id)
    tx.execute(gone if user_id is None else gone.where(Best.user_id == user_id))


def _rows(dataset_id: int) -> Select[Best]:
    return select(Best).where(Best.dataset_id == dataset_id)
