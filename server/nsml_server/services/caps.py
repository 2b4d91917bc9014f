"""What ends a session from outside: a credit that is used up, and, where an operator wants it so, a GPU left idle."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from nsml_server.domain.reasons import Reason
from nsml_server.services import credits, runs, uses
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction
from nsml_server.storage.repositories import credits as credit_rows
from nsml_server.storage.repositories import uses as use_rows

log = structlog.get_logger()


def enforce(platform: Platform) -> None:
    """Pay what is due, then end what is beyond its cap. What is ended is asked to stop, so that it can save."""
    with platform.database.read() as tx:
        is_due = credit_rows.is_due(tx, platform.now())
    if is_due:
        with platform.database.write() as tx:
            credits.pay_due(platform, tx)
    _end(platform, exhausted, Reason.OUT_OF_CREDIT)
    if platform.settings.idle_gpu_stop:
        _end(platform, idle, Reason.IDLE_GPU)


def exhausted(platform: Platform, tx: ReadTransaction) -> list[int]:
    """Runs of sessions of those who have nothing left. A submit under way is let finish: it is short, and costs what is there."""
    holding = [held for held in credit_rows.allocations(tx) if held.endable]
    left = credits.balances(platform, tx) if holding else {}
    return [held.run_id for held in holding if left.get(held.user_id, 1) <= 0]


def idle(platform: Platform, tx: ReadTransaction) -> list[int]:
    """Runs of sessions with a GPU that does nothing."""
    return [run.id for run, use in use_rows.of_sessions(tx) if uses.is_zombie(platform, run, use)]


def _end(platform: Platform, find: Callable[[Platform, ReadTransaction], list[int]], why: Reason) -> None:
    """Asked every second: nobody waits for the write lock of a round that finds nothing."""
    with platform.database.read() as tx:
        found = find(platform, tx)
    if not found:
        return
    with platform.database.write() as tx:
        for run_id in sorted(find(platform, tx)):
            runs.ask_to_stop(platform, tx, runs.find(tx, run_id), why)
            log.info("run_capped", run=run_id, why=why.value)
