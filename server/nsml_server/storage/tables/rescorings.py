"""Scores that were measured again."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from nsml_server.domain.states import SubmissionState
from nsml_server.storage.tables.base import Base, key, words
from nsml_server.storage.tables.contents import DatasetVersion
from nsml_server.storage.tables.people import User
from nsml_server.storage.tables.work import Submission


class Rescoring(Base):
    """One time that a submit was scored again: what stood before, and what came of it. `version` is the dataset's used for it."""

    __tablename__ = "rescorings"
    id: Mapped[int] = key()
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"), index=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("dataset_versions.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    asked_at: Mapped[float]
    former_version_id: Mapped[int] = mapped_column(ForeignKey("dataset_versions.id"))
    former_state: Mapped[SubmissionState] = mapped_column(words(SubmissionState))
    former_score: Mapped[float | None]
    former_reason: Mapped[str | None] = mapped_column(String(32))
    former_ended_at: Mapped[float | None]
    ended_at: Mapped[float | None]
    score: Mapped[float | None]
    reason: Mapped[str | None] = mapped_column(String(32))
    message: Mapped[str | None]

    submission: Mapped[Submission] = relationship(lazy="raise")
    version: Mapped[DatasetVersion] = relationship(lazy="raise", foreign_keys=[version_id])
    former_version: Mapped[DatasetVersion] = relationship(lazy="raise", foreign_keys=[former_version_id])
    user: Mapped[User] = relationship(lazy="raise")
    __table_args__ = (
        Index(
            "one_rescoring_under_way",
            "submission_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )
