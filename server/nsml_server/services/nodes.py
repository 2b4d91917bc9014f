"""Machines: what they have, whether they are there, and what that means for everybody."""

from __future__ import annotations

from collections.abc import Sequence

from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction
from nsml_server.storage.repositories import nodes
from nsml_server.storage.tables import Node
from nsml_worker.contract import Capacity

DEFAULT_CPUS = 1


def all_nodes(tx: ReadTransaction) -> Sequence[Node]:
    """Every node that has said what it offers, by name."""
    return [node for node in nodes.all_nodes(tx) if node.capacity is not None]


def capacity_of(node: Node) -> Capacity:
    """What it offers."""
    return Capacity.from_dict(node.capacity or {"cpus": 0, "memory": 0})


def is_here(platform: Platform, node: Node) -> bool:
    """Whether it was heard of within a lease and has not said goodbye."""
    return node.connected and node.seen_at >= platform.now() - platform.settings.lease


def offered_runtimes(tx: ReadTransaction) -> frozenset[str]:
    """The runtimes that some machine has. One that is away counts: it may come back."""
    return frozenset(name for node in all_nodes(tx) for name in capacity_of(node).images)


def default_gpus(tx: ReadTransaction) -> int:
    """1 where the platform has GPUs, else 0."""
    return int(any(capacity_of(node).gpus for node in all_nodes(tx)))


def confinement(tx: ReadTransaction) -> str | None:
    """How boxes are sealed: the weakest way among the nodes; None before any node has spoken."""
    ways = [capacity_of(node).confinement for node in all_nodes(tx)]
    return "none" if "none" in ways else (ways[0] if ways else None)
