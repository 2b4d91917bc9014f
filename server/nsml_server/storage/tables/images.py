"""What names of images mean on this platform."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from nsml_server.storage.tables.base import Base


class Image(Base):
    """An operator's entry of the image table; see domain/images.py for what a target may be."""

    __tablename__ = "images"
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    target: Mapped[str]
    note: Mapped[str] = mapped_column(default="")
    updated_at: Mapped[float]
