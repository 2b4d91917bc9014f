"""What sessions have saved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete as remove
from sqlalchemy import func, select

from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.tables import Checkpoint
from nsml_server.storage.upserts import upsert

_AT_ONCE = 500  # rows in one IN (…)


def of_session(tx: ReadTransaction, session_id: int) -> Sequence[Checkpoint]:
    """All checkpoints, in the order in which they were saved."""
    found = select(Checkpoint).where(Checkpoint.session_id == session_id)
    return tx.scalars(found.order_by(Checkpoint.saved_at, Checkpoint.id)).all()


def count(tx: ReadTransaction, session_id: int) -> int:
    """How many there are."""
    return tx.scalar(select(func.count()).where(Checkpoint.session_id == session_id)) or 0


def last_saved_at(tx: ReadTransaction, session_id: int) -> float | None:
    """When the newest was saved."""
    return tx.scalar(select(func.max(Checkpoint.saved_at)).where(Checkpoint.session_id == session_id))


def save(tx: WriteTransaction, session_id: int, name: str, values: dict[str, Any]) -> None:
    """Add a checkpoint, or let its name mean this one from now on."""
    upsert(tx, Checkpoint, {"session_id": session_id, "name": name}, values)


def delete(tx: WriteTransaction, ids: Sequence[int]) -> None:
    """Forget these. What they name stays for those who refer to it by itself."""
    for start in range(0, len(ids), _AT_ONCE):
        tx.execute(remove(Checkpoint).where(Checkpoint.id.in_(ids[start : start + _AT_ONCE])))
