"""The kept bests."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from nsml_server.storage.tables.base import Base
from nsml_server.storage.tables.people import User
from nsml_server.storage.tables.work import Submission


class Best(Base):
    """The kept table of bests: one row for each user and dataset, so that a board costs the same however long its history."""

    __tablename__ = "bests"
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"))
    score: Mapped[float]
    submitted_at: Mapped[float]
    count: Mapped[int]

    submission: Mapped[Submission] = relationship(lazy="raise")
    user: Mapped[User] = relationship(lazy="raise")
    __table_args__ = (Index("board_order", "dataset_id", "score", "submitted_at"),)
