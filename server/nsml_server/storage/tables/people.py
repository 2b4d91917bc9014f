"""People, machines, and the secrets by which they are known."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from nsml_server.storage.tables.base import HASH, Base, key


class User(Base):
    """A person. `admin` may push datasets of others' names and make users."""

    __tablename__ = "users"
    id: Mapped[int] = key()
    name: Mapped[str] = mapped_column(String(64), unique=True)
    admin: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[float]


class Token(Base):
    """A secret somebody holds, by its sha256. `kind`: see services/tokens.py."""

    __tablename__ = "tokens"
    hash: Mapped[str] = mapped_column(String(HASH), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
    node_id: Mapped[int | None] = mapped_column(ForeignKey("nodes.id"), index=True)
    created_at: Mapped[float]
    expires_at: Mapped[float | None]


class Node(Base):
    """A machine that runs boxes. `capacity` is the worker's Capacity; none before its first hello. A drained one is given
    nothing new. `unclaimed` counts the runs it was given since it last took one, `unclaimed_at` is when the last was taken back.
    """

    __tablename__ = "nodes"
    id: Mapped[int] = key()
    name: Mapped[str] = mapped_column(String(64), unique=True)
    capacity: Mapped[dict[str, Any] | None]
    connected: Mapped[bool] = mapped_column(default=False)
    seen_at: Mapped[float] = mapped_column(default=0.0)
    drained: Mapped[bool] = mapped_column(default=False, server_default=false())
    unclaimed: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    unclaimed_at: Mapped[float] = mapped_column(default=0.0, server_default=text("0"))


class Accepted(Base):
    """A request that was accepted once: the same key gives the same answer."""

    __tablename__ = "accepted"
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    what: Mapped[str] = mapped_column(String(16))
    made: Mapped[int]
    created_at: Mapped[float]
