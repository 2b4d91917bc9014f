"""What a container uses, from one answer of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import docker.errors
import requests

from nsml_worker.containers.engine import Engine, telling
from nsml_worker.gauge import Spent

# Pages of files that the kernel gives back when memory is wanted: no use of the box, and `docker stats` leaves them out too.
RECLAIMABLE = ("total_inactive_file", "inactive_file")  # as cgroup v1 and v2 call them


def measure(engine: Engine, container: str) -> Spent | None:
    """What a container uses now; None when it does not run. One request, answered from its control group without waiting for
    a second look.

    Raises:
        EngineFailed: the engine does not say.
    """
    with telling("A box cannot be measured"):
        try:
            return read_stats(engine.api.stats(container, stream=False, one_shot=True))
        except (docker.errors.NotFound, requests.JSONDecodeError):  # of one that ends just now nothing is told
            return None


def read_stats(told: Mapping[str, Any]) -> Spent | None:
    """None: the container does not run, or the engine does not measure it."""
    memory, cpu = told.get("memory_stats") or {}, (told.get("cpu_stats") or {}).get("cpu_usage") or {}
    used = memory.get("usage")
    if not isinstance(used, int) or not used:
        return None
    known = memory.get("stats") or {}
    cached = next((known[name] for name in RECLAIMABLE if isinstance(known.get(name), int)), 0)
    return Spent(max(0, used - cached), int(cpu.get("total_usage") or 0) / 1e9)
