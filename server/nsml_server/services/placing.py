"""From the line to a node: the pure decision of domain.placement, carried out with conditional updates and an outbox."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import structlog

from nsml_server.domain.capacity import Held, NodeView, Waiting
from nsml_server.domain.placement import Decision, Placement, Wait, place
from nsml_server.domain.states import RunState
from nsml_server.services import credits, endings, nodes, runs, tokens
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction, WriteTransaction, wait_for_turn
from nsml_server.storage.repositories import outbox
from nsml_server.storage.repositories import runs as run_rows
from nsml_server.storage.tables import Attempt, Node, Outgoing, Run
from nsml_worker.contract import TASK_RUN

# Whoever used least in this time goes first.
RECENT = 24 * 3600.0  # seconds
NO_CREDIT = "waits for credit: the balance is 0, and `nsmlctl credit` shows the next grant"

log = structlog.get_logger()


def place_waiting(platform: Platform) -> int:
    """Give out what is free; returns how many runs got a place."""
    with platform.database.write() as tx:
        wait_for_turn(tx, "placing")  # or two servers would give out the same room
        waiting = {run.id: run for run in run_rows.queued(tx)}
        known = {node.name: node for node in nodes.all_nodes(tx)}
        decision = _decide(platform, tx, waiting.values(), known.values())
        for placement in decision.placements:
            _carry_out(platform, tx, waiting[placement.run_id], known[placement.node], placement)
        for run_id, why in decision.refused.items():
            endings.refuse(platform, tx, waiting[run_id], why)
        _tell_why(platform, tx, waiting, decision.waits)
        return len(decision.placements)


def hand_over_again(tx: WriteTransaction, run: Run) -> None:
    """Another message for the same attempt, with a new token: the one before opens nothing any more."""
    token = tokens.make()
    run_rows.close_attempt(tx, run, {"token": tokens.digest(token)})
    outbox.delete_of_run(tx, run.id)
    if run.node is not None:
        tx.add(Outgoing(node=run.node.name, task=TASK_RUN, run_id=run.id, token=token))
        tx.flush()


def _decide(platform: Platform, tx: ReadTransaction, waiting: Collection[Run], known: Iterable[Node]) -> Decision:
    now, runs_there = platform.now(), run_rows.on_nodes(tx)
    views = _views(platform, known, runs_there, run_rows.recent_datasets(tx, now - RECENT))
    left = credits.balances(platform, tx)
    broke = [run for run in waiting if run.gpus and run.submission_id is None and left.get(run.user_id, 1) <= 0]
    without = {run.id for run in broke}
    line = [_waiting(run) for run in waiting if run.id not in without]
    decision = place(line, views, run_rows.recent_use(tx, now - RECENT, now))
    begin = len(decision.waits) + 1
    poor = {run.id: Wait(NO_CREDIT, begin + index) for index, run in enumerate(broke)}
    return replace(decision, waits={**decision.waits, **poor})


def _carry_out(platform: Platform, tx: WriteTransaction, run: Run, node: Node, placement: Placement) -> None:
    token, number, now = tokens.make(), run.attempt + 1, platform.now()
    values = {
        "attempt": number,
        "node_id": node.id,
        "devices": list(placement.gpus),
        "lease_until": now + platform.settings.lease,
    }
    runs.move(platform, tx, run, RunState.PLACED, wait_text=None, wait_position=None, **values)
    tx.add(Attempt(run_id=run.id, number=number, node_id=node.id, token=tokens.digest(token), placed_at=now))
    tx.add(Outgoing(node=node.name, task=TASK_RUN, run_id=run.id, token=token))
    tx.flush()
    log.info("run_placed", run=run.id, attempt=number, node=node.name)


def _tell_why(platform: Platform, tx: WriteTransaction, waiting: Mapping[int, Run], waits: Mapping[int, Wait]) -> None:
    changed = [
        {"id": run_id, "wait_text": wait.text, "wait_position": wait.position}
        for run_id, wait in waits.items()
        if (waiting[run_id].wait_text, waiting[run_id].wait_position) != (wait.text, wait.position)
    ]
    run_rows.tell_why_they_wait(tx, changed)
    for run_id in (run_id for run_id in waits if waiting[run_id].wait_position != waits[run_id].position):
        runs.tell(platform, tx, waiting[run_id])


def _waiting(run: Run) -> Waiting:
    return Waiting(
        run_id=run.id,
        user_id=run.user_id,
        kind=run.kind,
        cpus=run.cpus,
        gpus=run.gpus,
        memory=run.memory,
        queued_at=run.queued_at,
        image=run.environment or "",
        dataset=None if run.version is None else run.version.dataset.name,
        gpu_model=(run.gpu_model or "") if run.gpus else "",
        gpu_driver=(run.gpu_driver or "") if run.gpus else "",
        node=run.pinned or "",
        runtime=run.runtime or "",
        runner=run.runner or "",
    )


def _views(
    platform: Platform, known: Iterable[Node], held: Sequence[Run], datasets: Mapping[int, frozenset[str]]
) -> list[NodeView]:
    by_node: dict[int | None, list[Run]] = defaultdict(list)
    for run in held:
        by_node[run.node_id].append(run)
    return [_view(platform, node, by_node[node.id], datasets.get(node.id, frozenset())) for node in known]


def _view(platform: Platform, node: Node, held: Sequence[Run], datasets: frozenset[str]) -> NodeView:
    capacity = nodes.capacity_of(node)
    return NodeView(
        name=node.name,
        cpus=capacity.cpus,
        memory=capacity.memory,
        gpus=nodes.gpus_of(capacity),
        held=tuple(Held(run.user_id, run.kind, run.cpus, tuple(run.devices), run.memory) for run in held),
        images=frozenset(capacity.holds),
        datasets=datasets,
        runtimes=frozenset(capacity.images),
        runner=capacity.runner,
        connected=nodes.is_here(platform, node),
        drained=node.drained,
    )
