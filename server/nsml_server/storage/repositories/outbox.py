"""Messages that wait for their commit, and for the broker."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, func, select

from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.tables import Outgoing


def waiting(tx: ReadTransaction, limit: int = 500) -> Sequence[Outgoing]:
    """The oldest messages not sent yet."""
    return tx.scalars(select(Outgoing).order_by(Outgoing.id).limit(limit)).all()


def count(tx: ReadTransaction) -> int:
    """How many are not sent yet."""
    return tx.scalar(select(func.count()).select_from(Outgoing)) or 0


def holds(tx: ReadTransaction, run_id: int) -> bool:
    """Whether a message about this run has not reached the broker yet."""
    return tx.scalar(select(Outgoing.id).where(Outgoing.run_id == run_id).limit(1)) is not None


def delete_sent(tx: WriteTransaction, ids: Sequence[int]) -> None:
    """The broker has them."""
    tx.execute(delete(Outgoing).where(Outgoing.id.in_(ids)))


def delete_of_run(tx: WriteTransaction, run_id: int) -> None:
    """What was still to be sent about a run no longer holds."""
    tx.execute(delete(Outgoing).where(Outgoing.run_id == run_id))
