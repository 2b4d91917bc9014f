"""Questions on their way to live programs, and the checkpoints runs were lent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, select, update

from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.tables import Loan, Question
from nsml_server.storage.upserts import insert_missing


def of_id(tx: ReadTransaction, question_id: int) -> Question | None:
    """One question."""
    return tx.get(Question, question_id)


def count_open(tx: ReadTransaction, run_id: int) -> int:
    """How many of a run's questions somebody waits for."""
    return tx.scalar(select(func.count()).where(Question.run_id == run_id)) or 0


def waiting(tx: ReadTransaction, node_id: int) -> Sequence[Question]:
    """What this node has not fetched yet, in the order it was asked."""
    found = select(Question).where(Question.node_id == node_id, Question.taken_at.is_(None))
    return tx.scalars(found.order_by(Question.id)).all()


def take(tx: WriteTransaction, ids: Sequence[int], now: float) -> set[int]:
    """Those of the questions that nobody took before."""
    free = (Question.id.in_(ids), Question.taken_at.is_(None))
    return set(tx.scalars(update(Question).where(*free).values(taken_at=now).returning(Question.id)))


def answer(tx: WriteTransaction, question_id: int, node_id: int, said: dict[str, Any]) -> bool:
    """Keep the first answer; False when nobody waits for it any more."""
    open_one = (Question.id == question_id, Question.node_id == node_id)
    kept = update(Question).where(*open_one).values(answer=said).returning(Question.id)
    return tx.scalar(kept) is not None


def remove(tx: WriteTransaction, question_id: int) -> None:
    """Nobody waits for it any more."""
    tx.execute(delete(Question).where(Question.id == question_id))


def delete_older(tx: WriteTransaction, before: float) -> None:
    """Forget what a server that is gone has waited for."""
    tx.execute(delete(Question).where(Question.created_at < before))


def lend(tx: WriteTransaction, run_id: int, manifest: str) -> None:
    """Let a run fetch the files of this list."""
    insert_missing(tx, Loan, [{"run_id": run_id, "manifest": manifest}])


def lent(tx: ReadTransaction, run_id: int) -> Sequence[str]:
    """The lists of files a run may fetch beyond what it mounts."""
    return tx.scalars(select(Loan.manifest).where(Loan.run_id == run_id)).all()
