"""Requests that were accepted once."""

from __future__ import annotations

from sqlalchemy import delete

from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.tables import Accepted


def of_key(tx: ReadTransaction, user_id: int, key: str) -> Accepted | None:
    """What this key of this user led to."""
    return tx.get(Accepted, (user_id, key))


def delete_older(tx: WriteTransaction, than: float) -> None:
    """Forget keys nobody repeats any more."""
    tx.execute(delete(Accepted).where(Accepted.created_at < than))
