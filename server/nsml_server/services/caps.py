"""What ends a session from outside: a credit that is used up, and, where an operator wants it so, a GPU left idle."""

from __future__ import annotations

import structlog

from nsml_server.domain.reasons import Reason
from nsml_server.domain.states import RunState
from nsml_server.errors import Conflict
from nsml_server.services import credits, runs, uses
from nsml_server.services.platform import Platform
from nsml_server.storage.database import WriteTransaction
from nsml_server.storage.repositories import credits as credit_rows
from nsml_server.storage.repositories import uses as use_rows

log = structlog.get_logger()


def enforce(platform: Platform) -> None:
    """Pay what is due, then end what is beyond its cap. What is ended is asked to stop, so that it can save."""
    with platform.database.read() as tx:
        credit_matters = credit_rows.has_work(tx, platform.now())
    if credit_matters:
        with platform.database.write() as tx:
            credits.pay_due(platform, tx)
            end_exhausted(platform, tx)
    if platform.settings.idle_gpu_stop:
        with platform.database.write() as tx:
            end_idle(platform, tx)


def end_exhausted(platform: Platform, tx: WriteTransaction) -> None:
    """Sessions of those who have nothing left. A submit under way is let finish: it is short, and costs what is there."""
    left = credits.balances(platform, tx)
    for held in credit_rows.allocations(tx):
        if left.get(held.user_id, 1) <= 0:
            _end(platform, tx, held.run_id, Reason.OUT_OF_CREDIT)


def end_idle(platform: Platform, tx: WriteTransaction) -> None:
    """Sessions with a GPU that does nothing."""
    for use in use_rows.of_running(tx):
        if uses.is_zombie(platform, runs.find(tx, use.run_id), use):
            _end(platform, tx, use.run_id, Reason.IDLE_GPU)


def _end(platform: Platform, tx: WriteTransaction, run_id: int, why: Reason) -> None:
    run = runs.find(tx, run_id)
    if run.submission_id is not None or run.state is RunState.STOPPING:
        return
    try:
        runs.ask_to_stop(platform, tx, run, why)
        log.info("run_capped", run=run.id, why=why.value)
    except Conflict as moved_on:
        log.info("run_moved_on", run=run.id, said=str(moved_on))
