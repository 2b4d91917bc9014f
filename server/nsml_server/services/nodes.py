"""Machines: what they have, whether they are there, and what that means for everybody."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import structlog

from nsml_server.domain.capacity import Held, NodeView
from nsml_server.domain.devices import Gpu
from nsml_server.domain.states import RunState
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction
from nsml_server.storage.repositories import nodes, outbox
from nsml_server.storage.tables import Node, Run
from nsml_worker.contract import Capacity

DEFAULT_CPUS = 1
DOUBTED = 2  # runs in a row that a machine has let lie, after which it is given no more
TRY_AGAIN = (
    600.0  # seconds after which it is given some all the same: what it did not hear may have been lost on its way
)
WEAKEST = ("none", "user")  # ways of sealing that are less than the others, the least first
CONTAINERS = "docker"  # what a node's runner is called that makes its boxes of containers

log = structlog.get_logger()


def all_nodes(tx: ReadTransaction, names: Collection[str] | None = None) -> Sequence[Node]:
    """Every node that has said what it offers, by name; with `names`, of these."""
    return [node for node in nodes.all_nodes(tx, names) if node.capacity is not None]


def capacity_of(node: Node) -> Capacity:
    """What it offers."""
    return Capacity.from_dict(node.capacity or {"cpus": 0, "memory": 0})


def gpus_of(capacity: Capacity) -> tuple[Gpu, ...]:
    """Its devices, in its own order."""
    return tuple(
        Gpu(str(gpu["uuid"]), str(gpu.get("model", "")), int(gpu.get("memory") or 0), str(gpu.get("driver", "")))
        for gpu in capacity.gpus
    )


def is_here(platform: Platform, node: Node) -> bool:
    """Whether it was heard of within a lease and has not said goodbye."""
    return node.connected and node.seen_at >= platform.now() - platform.settings.lease


def is_deaf(platform: Platform, node: Node) -> bool:
    """Whether it lives, and lately has not taken what it was given: its way to the broker may be cut."""
    lately = platform.now() - node.unclaimed_at < TRY_AGAIN
    return node.unclaimed >= DOUBTED and lately and is_here(platform, node)


def has_let_lie(platform: Platform, tx: ReadTransaction, run: Run) -> bool:
    """Whether a run was not claimed by its machine, which is here. What the broker has not got yet is no fault of the machine."""
    given = run.state is RunState.PLACED and not outbox.holds(tx, run.id)
    return given and run.node is not None and is_here(platform, run.node)


def note_unclaimed(platform: Platform, node_ids: Iterable[int]) -> None:
    """Each of these runs' machines has let it lie. Not while runs are locked: a machine that says hello locks in the other order."""
    for node_id in node_ids:
        with platform.database.write() as tx:
            nodes.count_unclaimed(tx, node_id, platform.now())
            log.warning("run_unclaimed", node=node_id)


def note_taken(platform: Platform, node_id: int) -> None:
    """The machine has come for a run, so it hears us."""
    with platform.database.write() as tx:
        if nodes.takes_work(tx, node_id):
            platform.hurry(tx)


def view_of(
    platform: Platform, node: Node, held: Sequence[Held] = (), datasets: frozenset[str] = frozenset()
) -> NodeView:
    """The machine as placement sees it."""
    capacity = capacity_of(node)
    return NodeView(
        name=node.name,
        cpus=capacity.cpus,
        memory=capacity.memory,
        gpus=gpus_of(capacity),
        held=tuple(held),
        images=frozenset(capacity.holds),
        datasets=datasets,
        runtimes=frozenset(capacity.images),
        runner=capacity.runner,
        connected=is_here(platform, node),
        drained=node.drained,
        deaf=is_deaf(platform, node),
    )


def offered_runtimes(tx: ReadTransaction) -> frozenset[str]:
    """The runtimes that some machine has. One that is away counts: it may come back."""
    return frozenset(name for node in all_nodes(tx) for name in capacity_of(node).images)


def default_gpus(tx: ReadTransaction) -> int:
    """1 where the platform has GPUs, else 0."""
    return int(any(capacity_of(node).gpus for node in all_nodes(tx)))


def confinement(tx: ReadTransaction) -> str | None:
    """How boxes are sealed: the weakest way among the nodes; None before any node has spoken."""
    ways = [capacity_of(node).confinement for node in all_nodes(tx)]
    return next((way for way in WEAKEST if way in ways), ways[0] if ways else None)


def have_containers(tx: ReadTransaction) -> bool:
    """Whether any node runs boxes as containers."""
    return any(capacity_of(node).runner == CONTAINERS for node in all_nodes(tx))
