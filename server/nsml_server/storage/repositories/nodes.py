"""Machines that run boxes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select, update

from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.tables import Node


def named(tx: ReadTransaction, name: str) -> Node | None:
    """The node of this name."""
    return tx.scalar(select(Node).where(Node.name == name))


def all_nodes(tx: ReadTransaction, names: Collection[str] | None = None) -> Sequence[Node]:
    """Every node, or those of these names, by name."""
    found = select(Node).order_by(Node.name)
    return tx.scalars(found if names is None else found.where(Node.name.in_(names))).all()


def count_unclaimed(tx: WriteTransaction, node_id: int, now: float) -> None:
    """It has let a run lie that was given to it."""
    counted = update(Node).where(Node.id == node_id).values(unclaimed=Node.unclaimed + 1, unclaimed_at=now)
    tx.execute(counted, execution_options={"synchronize_session": False})


def takes_work(tx: WriteTransaction, node_id: int) -> bool:
    """It takes what it is given; False when nobody doubted it."""
    cleared = update(Node).where(Node.id == node_id, Node.unclaimed > 0).values(unclaimed=0).returning(Node.id)
    return tx.scalar(cleared, execution_options={"synchronize_session": False}) is not None


def saw(tx: WriteTransaction, node_id: int, now: float) -> None:
    """It has just spoken."""
    tx.execute(update(Node).where(Node.id == node_id).values(seen_at=now, connected=True))
