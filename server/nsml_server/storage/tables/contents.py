"""Folders by value, who has shown which bytes, and datasets."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint, text, true
from sqlalchemy.orm import Mapped, mapped_column, relationship

from nsml_server.domain.ranking import Order
from nsml_server.storage.tables.base import HASH, Base, key, words
from nsml_server.storage.tables.people import User


class Manifest(Base):
    """A folder by value, stored once for all who sent the same: `files` is the JSON of its entries."""

    __tablename__ = "manifests"
    hash: Mapped[str] = mapped_column(String(HASH), primary_key=True)
    size: Mapped[int]
    files: Mapped[bytes] = mapped_column(LargeBinary)


class Holding(Base):
    """Who has shown these bytes: knowing a hash is no proof of having what it names. `holder`: user:ID or run:ID."""

    __tablename__ = "holdings"
    holder: Mapped[str] = mapped_column(String(32), primary_key=True)
    hash: Mapped[str] = mapped_column(String(HASH), primary_key=True)


class Dataset(Base):
    """A name under which versions are pushed. A deleted one frees its name and keeps its rows.

    `pull_models`: whether participants may take home what they trained on it; `max_model_bytes`: what one of their
    checkpoints may hold at most; `network`: one that its trainings may have, by an administrator's word.
    """

    __tablename__ = "datasets"
    id: Mapped[int] = key()
    name: Mapped[str] = mapped_column(String(64))
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    description: Mapped[str] = mapped_column(default="")
    leaderboard: Mapped[bool] = mapped_column(default=False)
    metric: Mapped[str] = mapped_column(String(64))
    order: Mapped[Order] = mapped_column(words(Order))
    pull_models: Mapped[bool] = mapped_column(default=True, server_default=true())
    max_model_bytes: Mapped[int | None]
    network: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[float]
    updated_at: Mapped[float]
    deleted_at: Mapped[float | None]

    owner: Mapped[User] = relationship(lazy="raise")
    __table_args__ = (
        Index(
            "one_live_dataset_of_a_name",
            "name",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )


class DatasetVersion(Base):
    """What a push held. Sessions and submissions keep the one they began with. `hides_test`: it had a leaderboard."""

    __tablename__ = "dataset_versions"
    id: Mapped[int] = key()
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    number: Mapped[int]
    manifest: Mapped[str] = mapped_column(ForeignKey("manifests.hash"))
    metric: Mapped[str] = mapped_column(String(64))
    size: Mapped[int]
    hides_test: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[float]

    dataset: Mapped[Dataset] = relationship(lazy="raise")
    __table_args__ = (UniqueConstraint("dataset_id", "number"),)
