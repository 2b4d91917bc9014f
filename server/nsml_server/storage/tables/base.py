"""What all tables share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Integer
from sqlalchemy import Enum as Choice
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# SQLite counts rows by itself only in a column declared INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")
HASH = 64  # characters of a hash in hex


class Base(DeclarativeBase):
    """Every table. Floats are double precision: unix seconds and scores need it."""

    type_annotation_map = {int: BigInteger, dict[str, Any]: JSON, list[str]: JSON}  # noqa: RUF012


def words(enum: type[Any]) -> Choice:
    """A column that holds one of an enum's values, as text."""
    return Choice(enum, native_enum=False, length=16, values_callable=lambda e: [item.value for item in e])


def key() -> Mapped[int]:
    """A column that numbers the rows."""
    return mapped_column(Id, primary_key=True, autoincrement=True)
