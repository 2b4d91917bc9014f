"""Inserts that tolerate what is already there, in the two dialects we speak."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite

from nsml_server.storage.database import WriteTransaction
from nsml_server.storage.tables import Base

_ROWS_AT_ONCE = 500  # keeps a statement below SQLite's limit of bound values


def insert_missing(tx: WriteTransaction, table: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    """Insert those rows whose key is not there yet; the others stay as they are."""
    insert = _dialect(tx).insert
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        tx.execute(insert(table).values(rows[start : start + _ROWS_AT_ONCE]).on_conflict_do_nothing())


def upsert(tx: WriteTransaction, table: type[Base], key: dict[str, Any], values: dict[str, Any]) -> None:
    """Insert the row, or give the one with this key these values."""
    statement = _dialect(tx).insert(table).values(**key, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=list(key), set_=values))


def _dialect(tx: WriteTransaction) -> Any:
    return sqlite if tx.get_bind().dialect.name == "sqlite" else postgresql
