"""What programs wrote besides checkpoints."""

from __future__ import annotations

from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.tables import Product
from nsml_server.storage.upserts import upsert


def of_session(tx: ReadTransaction, session_id: int) -> Product | None:
    """What was collected of a session last."""
    return tx.get(Product, session_id)


def save(tx: WriteTransaction, session_id: int, manifest: str, left_out: list[list[str]]) -> None:
    """Keep it in the place of what was collected before."""
    upsert(tx, Product, {"session_id": session_id}, {"manifest": manifest, "left_out": left_out})
