"""What people may use of the GPUs: granted, spent, looked up. Nobody is limited before the first grant.

An attempt is charged when it ends, for the time from its program's start, and for no longer than the worker saw it run: an end
that is told late, because the server was away, costs nobody anything. What is under way is reckoned in when a balance is asked for. What was used before somebody was limited is free, our own faults cost nothing, nor does what never started, and no
balance goes below zero: where the platform was late in ending a session, that is its own loss.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from nsml_server.domain.credits import GPU_SECONDS, MAX_GRANT, Every, cost_of, credits_of, next_due, topped_up
from nsml_server.domain.names import shown
from nsml_server.domain.reasons import Reason, outcome
from nsml_server.errors import Forbidden, Invalid, NotFound
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.repositories import accounts, credits
from nsml_server.storage.repositories import runs as run_rows
from nsml_server.storage.tables import CreditEntry, CreditSchedule, Run
from nsml_worker.contract import Ended

EVERYONE = "@everyone"  # no user can be called so
GRANT, SCHEDULE, USE = "grant", "schedule", "use"
MAX_NOTE = 200  # characters
SHOWN = 50  # entries in one answer


@dataclass(frozen=True)
class Statement:
    """How somebody stands. `balance` in GPU-seconds with what is under way; None: not limited."""

    balance: int | None
    gpus: int  # held now
    entries: Sequence[CreditEntry]
    schedules: Sequence[CreditSchedule]

    @property
    def credits(self) -> float | None:
        """The balance as people read it."""
        return None if self.balance is None else credits_of(self.balance)


def grant(platform: Platform, tx: WriteTransaction, name: str, amount: int, note: str = "") -> None:
    """Give `amount` credits, or take some back when it is negative; who had no account is limited from now on.

    Raises:
        NotFound: nobody is called so.
        Invalid: too much, too little, or a note that is too long.
    """
    _check(amount, note)
    for user_id in _users_named(tx, name):
        credits.open_account(tx, user_id, platform.now())
        account = credits.account_of(tx, user_id, to_change=True)
        least = -(account.balance if account else 0)  # what is not there cannot be taken back
        credits.enter(tx, user_id, max(amount * GPU_SECONDS, min(0, least)), kind=GRANT, at=platform.now(), note=note)
    platform.hurry(tx)


def schedule(
    platform: Platform, tx: WriteTransaction, name: str, amount: int, every: Every, ceiling: int | None
) -> CreditSchedule:
    """Give so many credits now and at the begin of each period, up to a ceiling.

    Raises:
        NotFound: nobody is called so.
        Invalid: amount or ceiling make no sense.
    """
    _check(amount, "")
    if amount < 0 or (ceiling is not None and ceiling < 1):
        raise Invalid("A repeated grant and its ceiling are at least 1 credit.", hint="Give a positive number.")
    user_id = None if name == EVERYONE else _users_named(tx, name)[0]
    now = platform.now()
    row = CreditSchedule(
        user_id=user_id,
        amount=amount * GPU_SECONDS,
        ceiling=None if ceiling is None else ceiling * GPU_SECONDS,
        every=every.value,
        next_at=now,
        created_at=now,
    )
    tx.add(row)
    tx.flush()
    _pay(platform, tx, row)
    return row


def end_schedule(tx: WriteTransaction, schedule_id: int) -> None:
    """Repeat a grant no more; what was given stays. Raises NotFound."""
    row = tx.get(CreditSchedule, schedule_id)
    if row is None:
        raise NotFound(
            f"There is no repeated grant {schedule_id}.", hint="`nsmlctl credit -u USER` shows their numbers."
        )
    row.next_at = None
    tx.flush()


def pay_due(platform: Platform, tx: WriteTransaction) -> None:
    """Give what is due by schedule, also for periods in which nobody looked, and let newcomers have their first."""
    for row in credits.due(tx, platform.now()):
        _pay(platform, tx, row)
    newcomers = credits.users_without_account(tx)
    for row in credits.schedules(tx):
        for user_id in newcomers if row.user_id is None else ():
            _give(platform, tx, row, user_id, row.created_at)


def charge(platform: Platform, tx: WriteTransaction, run: Run, reason: Reason) -> None:
    """The current attempt is over: enter what it has cost."""
    if not run.gpus or run.started_at is None or outcome(reason).ours:
        return
    account = credits.account_of(tx, run.user_id, to_change=True)
    if account is None:
        return
    ended = min(_until(run.stop_reason, run.stop_asked_at, platform.now()), run.started_at + _lasted(tx, run))
    cost = min(cost_of(run.gpus, max(run.started_at, account.opened_at), ended), max(0, account.balance))
    credits.enter(tx, run.user_id, -cost, kind=USE, at=platform.now(), run_id=run.id, attempt=run.attempt)


def balances(platform: Platform, tx: ReadTransaction, user_id: int | None = None) -> dict[int, int]:
    """GPU-seconds left to everybody who is limited, or to this user, what is under way reckoned in."""
    spent: dict[int, int] = defaultdict(int)
    for held in credits.allocations(tx, user_id):
        until = platform.now() if held.until is None else held.until
        spent[held.user_id] += cost_of(held.gpus, held.since, until)
    return {row.user_id: max(0, row.balance - spent[row.user_id]) for row in credits.accounts(tx, user_id)}


def require(platform: Platform, tx: ReadTransaction, user_id: int, gpus: int) -> None:
    """Raises Forbidden when somebody asks for GPUs and has no credit left."""
    if gpus and balances(platform, tx, user_id).get(user_id, 1) <= 0:
        raise Forbidden(
            "Rejected: not enough credit (balance: 0).",
            hint="Ask for no GPU with `-g 0`, or wait for the next grant: `nsmlctl credit` shows it.",
            code="not_enough_credit",
        )


def statement(platform: Platform, tx: ReadTransaction, user_id: int) -> Statement:
    """How somebody stands now."""
    held = sum(one.gpus for one in credits.allocations(tx, user_id))
    balance = balances(platform, tx, user_id).get(user_id)
    return Statement(balance, held, credits.entries_of(tx, user_id, SHOWN), credits.schedules(tx, user_id))


def statement_of(platform: Platform, tx: ReadTransaction, name: str) -> Statement:
    """The same by name. Raises NotFound."""
    return statement(platform, tx, _users_named(tx, name)[0])


def _pay(platform: Platform, tx: WriteTransaction, row: CreditSchedule) -> None:
    every, now = Every(row.every), platform.now()
    while row.next_at is not None and row.next_at <= now:
        for user_id in credits.all_users(tx) if row.user_id is None else [row.user_id]:
            _give(platform, tx, row, user_id, row.next_at)
        row.next_at = next_due(every, row.next_at)
    tx.flush()
    platform.hurry(tx)


def _give(platform: Platform, tx: WriteTransaction, row: CreditSchedule, user_id: int, due_at: float) -> None:
    credits.open_account(tx, user_id, platform.now())
    account = credits.account_of(tx, user_id, to_change=True)
    amount = topped_up(account.balance if account else 0, row.amount, row.ceiling)
    credits.enter(tx, user_id, amount, kind=SCHEDULE, at=platform.now(), schedule_id=row.id, due_at=due_at)


def _until(why: str | None, asked_at: float | None, now: float) -> float:
    """The time a session has to save in after we have ended it is a gift."""
    return now if why is None or asked_at is None else min(asked_at, now)


def _lasted(tx: ReadTransaction, run: Run) -> float:
    """Seconds that the worker saw the current attempt run; without limit where it did not say."""
    attempt = run_rows.attempt_of(tx, run)
    told = Ended.from_dict(attempt.facts).wall_seconds if attempt is not None and attempt.facts else 0.0
    return told if told > 0 else math.inf


def _users_named(tx: ReadTransaction, name: str) -> list[int]:
    if name == EVERYONE:
        return credits.all_users(tx)
    user = accounts.user_named(tx, name)
    if user is None:
        raise NotFound(f"There is no user {shown(name)}.", hint=f"Everybody together is called {EVERYONE}.")
    return [user.id]


def _check(amount: int, note: str) -> None:
    if not 0 < abs(amount) <= MAX_GRANT:
        raise Invalid(
            f"A grant is 1 to {MAX_GRANT:,} credits, not {amount:,}.", hint="One credit is one GPU for one minute."
        )
    if len(note) > MAX_NOTE or not note.isprintable():
        raise Invalid(f"A note is one line of at most {MAX_NOTE} visible characters.", hint="Shorten it.")
