"""Operators' entries of the image table."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select

from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.tables import Image


def all_rows(tx: ReadTransaction) -> Sequence[Image]:
    """Every entry by name."""
    return tx.scalars(select(Image).order_by(Image.name)).all()


def put(tx: WriteTransaction, name: str, target: str, note: str, now: float) -> None:
    """Write an entry, or write it anew."""
    tx.merge(Image(name=name, target=target, note=note, updated_at=now))
    tx.flush()


def remove(tx: WriteTransaction, name: str) -> bool:
    """Delete an entry; False when there was none."""
    return tx.connection().execute(delete(Image).where(Image.name == name)).rowcount == 1
