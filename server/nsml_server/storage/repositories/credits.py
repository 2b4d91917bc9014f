"""Accounts, their ledger, and grants that are repeated. Every change of a balance is an entry in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import exists, func, select, update

from nsml_server.domain.states import RunState
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.tables import CreditAccount, CreditEntry, CreditSchedule, Run, User
from nsml_server.storage.upserts import insert_missing

ALLOCATED = [RunState.RUNNING, RunState.PAUSED, RunState.STOPPING]


class Allocation(NamedTuple):
    """GPUs that a user holds since a moment; `until`: they are not counted beyond it.

    `endable`: by a session that nobody has asked to stop yet.
    """

    run_id: int
    user_id: int
    gpus: int
    since: float
    until: float | None
    endable: bool


def account_of(tx: ReadTransaction, user_id: int, *, to_change: bool = False) -> CreditAccount | None:
    """The account; none: the user is not limited. `to_change`: nobody else changes it until the commit."""
    found = select(CreditAccount).where(CreditAccount.user_id == user_id).execution_options(populate_existing=True)
    return tx.scalar(found.with_for_update() if to_change else found)


def accounts(tx: ReadTransaction, user_id: int | None = None) -> Sequence[CreditAccount]:
    """All accounts, or the one of this user."""
    found = select(CreditAccount)
    return tx.scalars(found if user_id is None else found.where(CreditAccount.user_id == user_id)).all()


def open_account(tx: WriteTransaction, user_id: int, now: float) -> None:
    """From now on the user is limited; harmless when they are."""
    insert_missing(tx, CreditAccount, [{"user_id": user_id, "balance": 0, "opened_at": now}])


def enter(tx: WriteTransaction, user_id: int, amount: int, **fields: Any) -> None:
    """One line of the ledger, and the balance with it."""
    tx.add(CreditEntry(user_id=user_id, amount=amount, **fields))
    changed = update(CreditAccount).where(CreditAccount.user_id == user_id)
    tx.execute(changed.values(balance=CreditAccount.balance + amount), execution_options={"synchronize_session": False})
    tx.flush()


def entries_of(tx: ReadTransaction, user_id: int, limit: int) -> Sequence[CreditEntry]:
    """The newest lines of somebody's ledger, newest first."""
    found = select(CreditEntry).where(CreditEntry.user_id == user_id)
    return tx.scalars(found.order_by(CreditEntry.id.desc()).limit(limit)).all()


def sum_of(tx: ReadTransaction, user_id: int) -> int:
    """What the ledger adds up to: always the balance."""
    return tx.scalar(select(func.coalesce(func.sum(CreditEntry.amount), 0)).where(CreditEntry.user_id == user_id)) or 0


def allocations(tx: ReadTransaction, user_id: int | None = None) -> list[Allocation]:
    """GPUs held now by users who have an account, or by this one of them."""
    columns = (
        Run.id,
        Run.user_id,
        Run.gpus,
        Run.started_at,
        CreditAccount.opened_at,
        Run.stop_reason,
        Run.stop_asked_at,
        Run.submission_id.is_(None) & (Run.state != RunState.STOPPING),
    )
    held = select(*columns).join(CreditAccount, CreditAccount.user_id == Run.user_id)
    held = held.where(Run.state.in_(ALLOCATED), Run.gpus > 0, Run.started_at.is_not(None))
    if user_id is not None:
        held = held.where(Run.user_id == user_id)
    return [
        Allocation(run_id, user, gpus, max(started_at, opened_at), asked_at if why else None, endable)
        for run_id, user, gpus, started_at, opened_at, why, asked_at, endable in tx.execute(held)
        if started_at is not None
    ]


def schedules(tx: ReadTransaction, user_id: int | None = None) -> Sequence[CreditSchedule]:
    """All grants that are repeated, or those that mean this user."""
    found = select(CreditSchedule).where(CreditSchedule.next_at.is_not(None)).order_by(CreditSchedule.id)
    if user_id is not None:
        found = found.where((CreditSchedule.user_id == user_id) | CreditSchedule.user_id.is_(None))
    return tx.scalars(found).all()


def due(tx: ReadTransaction, now: float) -> Sequence[CreditSchedule]:
    """Those that have something to pay."""
    return tx.scalars(select(CreditSchedule).where(CreditSchedule.next_at <= now).order_by(CreditSchedule.id)).all()


def users_without_account(tx: ReadTransaction) -> list[int]:
    """Whoever is not limited yet."""
    return list(tx.scalars(select(User.id).where(~exists().where(CreditAccount.user_id == User.id))))


def all_users(tx: ReadTransaction) -> list[int]:
    """Everybody."""
    return list(tx.scalars(select(User.id).order_by(User.id)))


def is_due(tx: ReadTransaction, now: float) -> bool:
    """Whether anybody is to be given anything: asked every second, so in one small query."""
    pays = exists().where(CreditSchedule.next_at <= now)
    newcomer = exists().where(CreditSchedule.user_id.is_(None), CreditSchedule.next_at.is_not(None)) & exists().where(
        User.id.is_not(None), ~exists().where(CreditAccount.user_id == User.id)
    )
    return bool(tx.scalar(select(pays | newcomer)))
