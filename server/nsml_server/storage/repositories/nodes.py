"""Machines that run boxes."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update

from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.tables import Node


def named(tx: ReadTransaction, name: str) -> Node | None:
    """The node of this name."""
    return tx.scalar(select(Node).where(Node.name == name))


def all_nodes(tx: ReadTransaction) -> Sequence[Node]:
    """Every node by name."""
    return tx.scalars(select(Node).order_by(Node.name)).all()


def saw(tx: WriteTransaction, node_id: int, now: float) -> None:
    """It has just spoken."""
    tx.execute(update(Node).where(Node.id == node_id).values(seen_at=now, connected=True))
