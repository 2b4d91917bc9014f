"""The machines as people are shown them; the rest is in views.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from nsml_server.domain import versions
from nsml_server.services import nodes, uses
from nsml_server.services.platform import Platform
from nsml_server.services.views import View, time
from nsml_server.storage.database import ReadTransaction
from nsml_server.storage.repositories import runs as run_rows
from nsml_server.storage.tables import Run
from nsml_server.version import VERSION

DEAF = "does not take its work: can it reach the broker?"


def machines(platform: Platform, tx: ReadTransaction) -> list[View]:
    """The nodes and what is taken of them, for those who wonder why something waits. Whose it is, is not told."""
    found: list[View] = []
    runs_there: dict[int | None, list[Run]] = defaultdict(list)
    for run in run_rows.on_nodes(tx):
        runs_there[run.node_id].append(run)
    sampled = uses.samples_of(tx, [run for held in runs_there.values() for run in held])
    for node in nodes.all_nodes(tx):
        capacity, held = nodes.capacity_of(node), runs_there[node.id]
        taken = {device for run in held for device in run.devices}
        view = {"name": node.name, "alive": nodes.is_here(platform, node), "seen_at": time(node.seen_at)}
        view |= {"cpus": capacity.cpus, "gpus": len(capacity.gpus), "memory": capacity.memory}
        view |= {"confinement": capacity.confinement, "runs": len(held), "used_cpus": sum(run.cpus for run in held)}
        view |= {"used_gpus": len(taken), "images": list(capacity.images), "runner": capacity.runner}
        view |= {"disk": capacity.disk, "drained": node.drained, "version": capacity.version}
        view["skew"] = versions.compare(capacity.version, VERSION)
        view["problem"] = DEAF if nodes.is_deaf(platform, node) else None
        samples = [(run, use) for run, use in sampled if run.node_id == node.id]
        total, devices = uses.total_of(samples), uses.of_devices(samples)
        view |= {"used_memory": total.memory, "busy_cpus": total.cpu}
        found.append({**view, "devices": [_device(gpu, taken, devices) for gpu in capacity.gpus]})
    return found


def _device(gpu: Mapping[str, Any], taken: set[str], samples: Mapping[str, tuple[int, int]]) -> View:
    known = {name: gpu.get(name) for name in ("uuid", "model", "memory", "driver")}
    busy, memory = samples.get(str(gpu.get("uuid")), (None, None))
    return {**known, "used": gpu.get("uuid") in taken, "utilisation": busy, "used_memory": memory}
