"""What this node has: processors, memory, GPUs."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import pynvml

from nsml_worker.contract import Capacity


def measure_capacity() -> Capacity:
    """What there is now. GPUs are those NVML knows; none where there is no driver."""
    return Capacity(
        cpus=len(os.sched_getaffinity(0)),
        memory=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        gpus=tuple(find_gpus()),
    )


def find_gpus() -> list[dict[str, Any]]:
    """One dict for each device: uuid, model, memory (bytes), driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        driver = pynvml.nvmlSystemGetDriverVersion()
        return [_describe(index, driver) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _describe(index: int, driver: str) -> dict[str, Any]:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    return {
        "uuid": pynvml.nvmlDeviceGetUUID(handle),
        "model": pynvml.nvmlDeviceGetName(handle),
        "memory": int(pynvml.nvmlDeviceGetMemoryInfo(handle).total),
        "driver": driver,
    }
