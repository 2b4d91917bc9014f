"""From the line to a node: the pure decision of domain.placement, carried out with conditional updates and an outbox."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence

import structlog

from nsml_server.domain.capacity import Held, NodeView, Waiting
from nsml_server.domain.placement import Decision, Placement, Wait, place
from nsml_server.domain.states import RunState
from nsml_server.services import endings, environments, nodes, runs, tokens
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction, WriteTransaction, wait_for_turn
from nsml_server.storage.repositories import outbox
from nsml_server.storage.repositories import runs as run_rows
from nsml_server.storage.tables import Attempt, Node, Outgoing, Run
from nsml_worker.contract import TASK_RUN, RunKind

# Whoever used least in this time goes first.
RECENT = 24 * 3600.0  # seconds

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


def _decide(platform: Platform, tx: ReadTransaction, waiting: Iterable[Run], known: Iterable[Node]) -> Decision:
    now = platform.now()
    views = _views(platform, known, run_rows.on_nodes(tx))
    runtime = functools.cache(functools.partial(environments.runtime_of, platform, tx))
    line = [_waiting(run, None if run.kind is RunKind.SCORE else runtime(run.image)) for run in waiting]
    return place(line, views, run_rows.recent_use(tx, now - RECENT, now))


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


def _waiting(run: Run, runtime: str | None) -> Waiting:
    return Waiting(
        run_id=run.id,
        user_id=run.user_id,
        kind=run.kind,
        cpus=run.cpus,
        gpus=run.gpus,
        memory=run.memory,
        queued_at=run.queued_at,
        image=run.image,
        dataset=None if run.version is None else run.version.dataset.name,
        runtime=runtime,
    )


def _views(platform: Platform, known: Iterable[Node], held: Sequence[Run]) -> list[NodeView]:
    return [_view(platform, node, [run for run in held if run.node_id == node.id]) for node in known]


def _view(platform: Platform, node: Node, held: Sequence[Run]) -> NodeView:
    capacity = nodes.capacity_of(node)
    return NodeView(
        name=node.name,
        cpus=capacity.cpus,
        memory=capacity.memory,
        gpus=tuple(str(gpu["uuid"]) for gpu in capacity.gpus),
        held=tuple(Held(run.user_id, run.kind, run.cpus, tuple(run.devices), run.memory) for run in held),
        images=frozenset(capacity.images),
        connected=nodes.is_here(platform, node),
    )
