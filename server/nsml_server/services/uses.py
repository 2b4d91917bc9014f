"""What runs use, as their workers tell it: who holds a GPU that does nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.repositories import uses
from nsml_server.storage.tables import Run, RunUse
from nsml_worker.contract import Use


def take(platform: Platform, tx: WriteTransaction, held: Iterable[Run], told: Mapping[int, Use]) -> None:
    """Keep the samples of runs that the worker really has."""
    runs = {run.id: run for run in held if run.id in told}
    before = uses.of_runs(tx, list(runs)) if runs else {}
    for run_id, run in runs.items():
        known = before.get(run_id)
        idle = known.idle if known is not None and known.attempt == run.attempt and is_fresh(platform, known) else {}
        use, now = told[run_id], platform.now()
        if known is None or known.sample != use.to_dict():
            platform.tell(tx, f"session:{run_id}")
        values = {"attempt": run.attempt, "sampled_at": now, "sample": use.to_dict()}
        uses.keep(tx, run_id, {**values, "idle": idle_devices(run.devices, use.gpu_utilisation, idle, now)})


def samples_of(tx: ReadTransaction, held: Iterable[Run]) -> list[tuple[Run, Use]]:
    """What these runs use, as far as it is known."""
    runs = {run.id: run for run in held}
    rows = uses.of_runs(tx, list(runs)).values() if runs else ()
    return [(runs[row.run_id], Use.from_dict(row.sample)) for row in rows if row.attempt == runs[row.run_id].attempt]


def of_devices(samples: Iterable[tuple[Run, Use]]) -> dict[str, tuple[int, int]]:
    """Percent of time and bytes of memory of each device that one of these runs uses."""
    found: dict[str, tuple[int, int]] = {}
    for run, use in samples:
        found |= dict(zip(run.devices, zip(use.gpu_utilisation, use.gpu_memory, strict=False), strict=False))
    return found


def total_of(samples: Iterable[tuple[Run, Use]]) -> Use:
    """Memory and processors of all these runs together; None where nothing is known of any."""
    uses_now = [use for _, use in samples]
    memory = [use.memory for use in uses_now if use.memory is not None]
    cpu = [use.cpu for use in uses_now if use.cpu is not None]
    return Use(memory=sum(memory) if memory else None, cpu=round(sum(cpu), 2) if cpu else None)


def idle_devices(
    devices: Iterable[str], busy: Iterable[int], before: Mapping[str, float], now: float
) -> dict[str, float]:
    """Since when every sample of a device was 0. One without a sample begins anew: what nobody has seen is not called idle."""
    return {device: before.get(device, now) for device, share in zip(devices, busy, strict=False) if share == 0}


def is_fresh(platform: Platform, use: RunUse) -> bool:
    """Whether a sample still tells what is: it comes with every sign of life, and whoever gives none for a lease is lost."""
    return platform.now() - use.sampled_at <= platform.settings.lease


def is_zombie(platform: Platform, run: Run, use: RunUse | None) -> bool:
    """Whether a GPU of a running program has done nothing for too long. NSML's word, and its rule: any of its GPUs."""
    if use is None or use.attempt != run.attempt or run.state not in uses.ON_DEVICES:
        return False
    if not use.idle or not is_fresh(platform, use):
        return False
    since: float = min(use.idle.values())
    return platform.now() - since >= platform.settings.idle_gpu_after
