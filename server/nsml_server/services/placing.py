"""From the line to a node: the pure decision of domain.placement, carried out on rows it has locked, with an outbox.

Deciding costs with the length of the line, so it is done on what a reading transaction saw, and nobody has to wait for it. What
has changed since is found when it is carried out: a run that was moved meanwhile is left alone, and so is room that is gone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import structlog

from nsml_server.domain.capacity import Held, NodeView, Waiting
from nsml_server.domain.placement import Decision, Placement, Wait, place
from nsml_server.domain.rooms import Room
from nsml_server.domain.states import RunState
from nsml_server.services import credits, nodes, runs, tokens
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction, WriteTransaction, wait_for_turn
from nsml_server.storage.repositories import outbox, submissions
from nsml_server.storage.repositories import runs as run_rows
from nsml_server.storage.repositories.runs import Holding, Queued
from nsml_server.storage.tables import Attempt, Node, Outgoing, Run
from nsml_worker.contract import TASK_RUN

# Whoever used least in this time goes first.
RECENT = 24 * 3600.0  # seconds
NO_CREDIT = "waits for credit: the balance is 0, and `nsmlctl credit` shows the next grant"

log = structlog.get_logger()


@dataclass(frozen=True)
class Line:
    """What waits, as it was read: rows by id, and what placement makes of those who have credit."""

    rows: Mapping[int, Queued]
    able: Mapping[int, Waiting]


def place_waiting(platform: Platform) -> int:
    """Give out what is free; returns how many runs got a place."""
    with platform.database.read() as tx:
        now = platform.now()
        line = _line(platform, tx)
        views = _views(platform, tx, nodes.all_nodes(tx), run_rows.recent_datasets(tx, now - RECENT))
        use = run_rows.recent_use(tx, now - RECENT, now)
    decision = place(line.able.values(), views, use)
    moved = platform.waits.replace(_waits(line, decision))
    placed = _carry_out(platform, line, decision, moved)
    for run_id in moved:
        platform.notices.publish(f"session:{run_id}")
    return placed


def hand_over_again(tx: WriteTransaction, run: Run) -> None:
    """Another message for the same attempt, with a new token: the one before opens nothing any more."""
    token = tokens.make()
    run_rows.close_attempt(tx, run, {"token": tokens.digest(token)})
    outbox.delete_of_run(tx, run.id)
    if run.node is not None:
        tx.add(Outgoing(node=run.node.name, task=TASK_RUN, run_id=run.id, token=token))
        tx.flush()


def waiting_of(run: Run | Queued, dataset: str | None = None, in_vain: float = 0.0) -> Waiting:
    """A run as placement sees it."""
    return Waiting(
        run_id=run.id,
        user_id=run.user_id,
        kind=run.kind,
        cpus=run.cpus,
        gpus=run.gpus,
        memory=run.memory,
        queued_at=run.queued_at,
        image=run.environment or "",
        dataset=dataset,
        gpu_model=run.gpu_model or "",
        gpu_driver=run.gpu_driver or "",
        node=run.pinned or "",
        runtime=run.runtime or "",
        runner=run.runner or "",
        in_vain=in_vain,
    )


def _line(platform: Platform, tx: ReadTransaction) -> Line:
    now, left = platform.now(), credits.balances(platform, tx)
    rows = {row.id: row for row in run_rows.queued(tx)}
    able = {
        row.id: waiting_of(row, row.dataset, 0.0 if row.kept_since is None else now - row.kept_since)
        for row in rows.values()
        if not row.gpus or row.submission_id is not None or left.get(row.user_id, 1) > 0
    }
    return Line(rows, able)


def _waits(line: Line, decision: Decision) -> dict[int, Wait]:
    broke = sorted(line.rows.keys() - line.able.keys())
    begin = len(decision.waits) + 1
    return {**decision.waits, **{run_id: Wait(NO_CREDIT, begin + index) for index, run_id in enumerate(broke)}}


def _carry_out(platform: Platform, line: Line, decision: Decision, moved: Iterable[int]) -> int:
    followed = [number for run_id in moved if (number := line.rows[run_id].submission_id) is not None]
    kept = {run_id for run_id in decision.kept if line.rows[run_id].kept_since is None}
    if not (decision.placements or followed or kept):
        return 0
    with platform.database.write() as tx:
        wait_for_turn(tx, "placing")  # or two servers would give out the same room
        held = run_rows.lock_queued(tx, [*kept, *(each.run_id for each in decision.placements)])
        for run in held:
            run.kept_since = platform.now() if run.id in kept else run.kept_since
        placed = _place_all(platform, tx, line, decision.placements, {run.id: run for run in held})
        submissions.touch(tx, followed)
        platform.tell(tx, *(f"submission:{number}" for number in followed))
    if placed < len(decision.placements):
        platform.bell.ring()  # for those whose room was gone, or who were being looked at by somebody else
    return placed


def _place_all(
    platform: Platform, tx: WriteTransaction, line: Line, placements: Sequence[Placement], held: Mapping[int, Run]
) -> int:
    chosen = {each.node for each in placements}
    known = {node.name: node for node in nodes.all_nodes(tx, chosen)}
    rooms = {view.name: Room(view) for view in _views(platform, tx, known.values()) if view.takes_runs}
    placed = 0
    for each in placements:
        run, room = held.get(each.run_id), rooms.get(each.node)
        if run is not None and room is not None and room.take_these(line.able[run.id].shape, each.gpus):
            _place(platform, tx, run, known[each.node], each)
            placed += 1
    return placed


def _place(platform: Platform, tx: WriteTransaction, run: Run, node: Node, placement: Placement) -> None:
    token, number, now = tokens.make(), run.attempt + 1, platform.now()
    values = {
        "attempt": number,
        "node_id": node.id,
        "devices": list(placement.gpus),
        "lease_until": now + platform.settings.lease,
        "kept_since": None,
    }
    runs.move(platform, tx, run, RunState.PLACED, **values)
    tx.add(Attempt(run_id=run.id, number=number, node_id=node.id, token=tokens.digest(token), placed_at=now))
    tx.add(Outgoing(node=node.name, task=TASK_RUN, run_id=run.id, token=token))
    tx.flush()
    log.info("run_placed", run=run.id, attempt=number, node=node.name)


def _views(
    platform: Platform,
    tx: ReadTransaction,
    known: Collection[Node],
    datasets: Mapping[int, frozenset[str]] = MappingProxyType({}),
) -> list[NodeView]:
    held: dict[int | None, list[Held]] = defaultdict(list)
    for row in run_rows.holdings(tx, [node.id for node in known]):
        held[row.node_id].append(_held(row))
    return [nodes.view_of(platform, node, held[node.id], datasets.get(node.id, frozenset())) for node in known]


def _held(row: Holding) -> Held:
    """Before its program has started, a run's deadline is that of its preparation."""
    ends = row.deadline is not None and row.state not in (RunState.PLACED, RunState.PREPARING)
    until = {"until": row.deadline} if ends and row.deadline is not None else {}
    return Held(row.user_id, row.kind, row.cpus, tuple(row.devices), row.memory, **until)
