"""What people may use of the GPUs, and what they have used. Amounts are whole GPU-seconds."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from nsml_server.storage.tables.base import Base, key


class CreditAccount(Base):
    """Whoever has one is limited. `balance` is the sum of the entries, changed in the same transaction; nothing
    from before `opened_at` is charged.
    """

    __tablename__ = "credit_accounts"
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    balance: Mapped[int] = mapped_column(default=0)
    opened_at: Mapped[float]


class CreditSchedule(Base):
    """A grant that is repeated; no user: it is for everybody. `ceiling`: it fills an account up to there only; `next_at`: none
    when it has been ended.
    """

    __tablename__ = "credit_schedules"
    id: Mapped[int] = key()
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    amount: Mapped[int]
    ceiling: Mapped[int | None]
    every: Mapped[str] = mapped_column(String(16))
    next_at: Mapped[float | None]
    created_at: Mapped[float]


class CreditEntry(Base):
    """One line of the ledger. An attempt is charged once, and a due date of a schedule paid once to each."""

    __tablename__ = "credit_entries"
    id: Mapped[int] = key()
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    amount: Mapped[int]
    kind: Mapped[str] = mapped_column(String(16))  # "grant", "schedule" or "use"
    at: Mapped[float]
    note: Mapped[str] = mapped_column(default="")
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id"))
    attempt: Mapped[int | None]
    schedule_id: Mapped[int | None] = mapped_column(ForeignKey("credit_schedules.id"))
    due_at: Mapped[float | None]
    __table_args__ = (UniqueConstraint("run_id", "attempt"), UniqueConstraint("schedule_id", "user_id", "due_at"))
