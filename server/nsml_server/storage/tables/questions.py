"""What people ask of programs that run."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from nsml_server.storage.tables.base import Base, key


class Question(Base):
    """On its way to a box and back. Handed to a worker once (`taken_at`), deleted when its answer was read or it is too late."""

    __tablename__ = "questions"
    id: Mapped[int] = key()
    node_id: Mapped[int] = mapped_column(ForeignKey("nodes.id"), index=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"))
    attempt: Mapped[int]
    asked: Mapped[dict[str, Any]]
    answer: Mapped[dict[str, Any] | None]
    created_at: Mapped[float]
    taken_at: Mapped[float | None]
