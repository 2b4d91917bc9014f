"""What runs use of their machines now, as workers tell it with their heartbeats."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from nsml_server.storage.tables.base import Base


class RunUse(Base):
    """The last sample of a run. `idle` is since when each of its devices is seen doing nothing; one that works, or is not seen, is not in it."""

    __tablename__ = "run_uses"
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    attempt: Mapped[int]
    sampled_at: Mapped[float]
    sample: Mapped[dict[str, Any]]
    idle: Mapped[dict[str, Any]]
