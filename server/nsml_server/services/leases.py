"""Who holds which run: renewed by heartbeats, taken back when a worker falls silent or does not know it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import structlog

from nsml_server.domain.reasons import Reason
from nsml_server.domain.states import RunState
from nsml_server.services import endings, nodes, placing, runs, uses
from nsml_server.services.platform import Platform
from nsml_server.storage.database import WriteTransaction
from nsml_server.storage.repositories import accepted, accounts, questions
from nsml_server.storage.repositories import nodes as node_rows
from nsml_server.storage.repositories import runs as run_rows
from nsml_server.storage.tables import Node, Run
from nsml_worker.contract import Capacity, Ended, EndReason, Use

Box = tuple[int, int]  # run id and attempt
WHY_STOP = "stopped"
LONG_GONE = 600.0  # seconds after which nobody waits for an answer any more

log = structlog.get_logger()


def hello(platform: Platform, tx: WriteTransaction, node: Node, capacity: Capacity, boxes: Iterable[Box]) -> list[Box]:
    """A worker has started: takes its offer, gives back what it does not know, returns the boxes it is to drop."""
    listed = set(boxes)
    node.capacity, node.connected, node.seen_at, node.unclaimed = capacity.to_dict(), True, platform.now(), 0
    tx.flush()
    held = run_rows.lock_on_node(tx, node.id)
    run_rows.renew(tx, [run.id for run in held], platform.now() + platform.settings.lease)
    for run in held:
        if (run.id, run.attempt) not in listed:
            _give_back(platform, tx, run)
    platform.hurry(tx)
    return _stale(held, listed)


def heartbeat(
    platform: Platform,
    tx: WriteTransaction,
    node: Node,
    boxes: Iterable[Box],
    use: Mapping[int, Use],
    capacity: Capacity | None = None,
) -> dict[str, Any]:
    """A worker is alive: renews what it lists, and tells it what to stop and what to drop.

    `use` is what runs use now; `capacity` what the node offers, when it has changed.
    """
    listed = set(boxes)
    held = run_rows.on_node(tx, node.id)
    kept = [run for run in held if (run.id, run.attempt) in listed]
    returned = not nodes.is_here(platform, node)
    node_rows.saw(tx, node.id, platform.now())
    run_rows.renew(tx, [run.id for run in kept], platform.now() + platform.settings.lease)
    uses.take(platform, tx, kept, use)
    if capacity is not None:
        node.capacity = capacity.to_dict()
        tx.flush()
    if returned:
        node_rows.takes_work(tx, node.id)  # what it let lie, it could not hear of
    if returned or capacity is not None:
        platform.hurry(tx)
    stop = [(run.id, run.attempt, run.stop_reason or WHY_STOP) for run in kept if run.state is RunState.STOPPING]
    # A worker that has just told an end cleans up by itself: only what it keeps beyond that is dropped.
    ended_before = platform.now() - platform.settings.heartbeat
    drop = [box for box in _stale(held, listed) if run_rows.is_over(tx, *box, ended_before)]
    return {"stop": stop, "drop": drop}


def goodbye(platform: Platform, tx: WriteTransaction, node: Node) -> None:
    """A worker leaves and its boxes go on: nothing new for it, and time to come back for the old."""
    node.connected = False
    tx.flush()
    held = [run.id for run in run_rows.lock_on_node(tx, node.id)]
    run_rows.renew(tx, held, platform.now() + platform.settings.lease + platform.settings.goodbye_grace)


def renew_all(platform: Platform) -> None:
    """After the server, its database or the whole machine was away: nobody could renew, so everybody gets a lease from now."""
    with platform.database.write() as tx:
        run_rows.renew_all(tx, platform.now() + platform.settings.lease)


def sweep(platform: Platform) -> int:
    """Take up whatever has outlived its lease or its deadline; returns how many runs that were."""
    now = platform.now()
    with platform.database.write() as tx:
        overdue = run_rows.lock_overdue(tx, now)
        doubted = [run.node_id for run in overdue if run.node_id is not None and nodes.has_let_lie(platform, tx, run)]
        for run in overdue:
            log.warning("run_overdue", run=run.id, attempt=run.attempt, state=run.state.value)
            if run.lease_until is not None and run.lease_until < now:
                take_back(platform, tx, run)
            else:
                _end_late(platform, tx, run)
    nodes.note_unclaimed(platform, doubted)
    return len(overdue)


def take_back(platform: Platform, tx: WriteTransaction, run: Run) -> None:
    """The machine lost this run, which is held: it is placed again, as often as we try."""
    if run.state is RunState.PLACED:
        runs.queue_again(platform, tx, run, blame=False)
    else:
        ended = Ended(EndReason.BOX_LOST, detail=f"{run.node.name if run.node else 'The machine'} lost it")
        endings.conclude(platform, tx, run, Reason.LEASE_LOST, ended)


def forget_old(platform: Platform, kept: float) -> None:
    """Delete tokens that have run out, questions nobody waits for, and keys of requests older than `kept` seconds."""
    with platform.database.write() as tx:
        accounts.delete_expired_tokens(tx, platform.now())
        questions.delete_older(tx, platform.now() - LONG_GONE)
        accepted.delete_older(tx, platform.now() - kept)


def _end_late(platform: Platform, tx: WriteTransaction, run: Run) -> None:
    """Its machine is alive and has not ended it in time: that is over, and would take as long again."""
    reason = Reason.PREPARE_LIMIT if run.state is RunState.PREPARING else Reason.WALL_CLOCK
    ended = Ended(EndReason.WALL_CLOCK, detail=run.preparing or "")
    endings.conclude(platform, tx, run, reason, ended)


def _give_back(platform: Platform, tx: WriteTransaction, run: Run) -> None:
    """A worker that has just started does not have this box."""
    if run.state is RunState.PLACED:
        # Its message may have been lost with the worker that fetched it: send another, and the first opens nothing.
        placing.hand_over_again(tx, run)
    else:
        take_back(platform, tx, run)


def _stale(held: Iterable[Run], listed: set[Box]) -> list[Box]:
    """Boxes of attempts that no longer count."""
    current = {(run.id, run.attempt) for run in held if not run.state.is_final and run.state is not RunState.QUEUED}
    return sorted(listed - current)
