"""What this node has and what of it is used: processors, memory, disk, GPUs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pynvml
import structlog

from nsml_worker.contract import Capacity, Use
from nsml_worker.errors import SettingsInvalid

GPU_FIELDS: dict[str, type] = {"uuid": str, "model": str, "memory": int, "driver": str}
DECLARED = "NSML_NODE_GPUS"
PATIENCE = 300.0  # seconds for which a GPU that NVML says nothing about counts as being there
# NVML's words for a device that is of no use any more, or is not ours. All others may pass.
_LOST = frozenset({
    pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_RESET_REQUIRED, pynvml.NVML_ERROR_NOT_FOUND, pynvml.NVML_ERROR_NO_PERMISSION,
})  # fmt: skip

Gpu = dict[str, Any]

log = structlog.get_logger()


class Meter:
    """Measures this node, as often as it is asked. May take long: a driver that hangs holds up whoever asks.

    Args:
        data: a folder on the file system that boxes lie on.
        declared: the GPUs as an operator declares them, a JSON list of {"uuid", "model", "memory", "driver"}, memory in bytes;
            empty: those that NVML finds.

    Raises:
        SettingsInvalid: the declaration cannot be read.
    """

    def __init__(self, data: Path, declared: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._data = data
        self._declared = read_inventory(declared) if declared else None
        self._clock = clock
        self._seen: dict[str, tuple[Gpu, float]] = {}  # by uuid, with the time at which it answered last
        self._fault = ""

    def measure(self) -> Capacity:
        """What there is now. A GPU that has fallen off the bus is not among it."""
        return Capacity(
            cpus=len(os.sched_getaffinity(0)),
            memory=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
            gpus=tuple(self.gpus()),
            disk=shutil.disk_usage(self._data).total,
        )

    def gpus(self) -> list[Gpu]:
        """The declared GPUs, or those that answer now; and for PATIENCE those that NVML does not say anything about."""
        if self._declared is not None:
            return self._declared
        found, fault = find_gpus()
        if fault and fault != self._fault:
            log.error("gpus_unclear", said=fault, found=len(found), known=len(self._seen))
        self._fault, now = fault, self._clock()
        kept = {uuid: seen for uuid, seen in self._seen.items() if fault and now - seen[1] < PATIENCE}
        self._seen = {**kept, **{gpu["uuid"]: (gpu, now) for gpu in found}}
        return [gpu for gpu, _ in self._seen.values()]

    def use_of(self, uuids: Sequence[str]) -> Use:
        """How busy these devices are, and how much of their memory is taken; empty where NVML does not know them."""
        if not uuids:
            return Use()
        try:
            with _nvml():
                samples = [_sample(uuid) for uuid in uuids]
        except pynvml.NVMLError:
            return Use()
        return Use(tuple(busy for busy, _ in samples), tuple(memory for _, memory in samples))


def find_gpus() -> tuple[list[Gpu], str]:
    """One dict for each device NVML finds: uuid, model, memory (bytes), driver. And why there may be more; empty: these are all.

    Without NVIDIA's library there are none.
    """
    found: list[Gpu] = []
    fault = ""
    try:
        with _nvml():
            driver = pynvml.nvmlSystemGetDriverVersion()
            for index in range(pynvml.nvmlDeviceGetCount()):
                try:
                    found.append(_describe(index, driver))
                except pynvml.NVMLError as error:  # one that is lost does not hide the others
                    fault = fault if error.value in _LOST else f"device {index}: {error}"
    except pynvml.NVMLError_LibraryNotFound:
        pass
    except pynvml.NVMLError as error:
        fault = str(error)
    return found, fault


def read_inventory(text: str) -> list[Gpu]:
    """A declaration, checked. Raises SettingsInvalid."""
    try:
        listed = json.loads(text)
    except ValueError as error:
        raise SettingsInvalid(f"{DECLARED} is not JSON: {error}; write a list of objects.") from error
    if not isinstance(listed, list) or not all(_is_gpu(item) for item in listed):
        raise SettingsInvalid(
            f"{DECLARED} must be a list of objects with uuid, model, driver (texts) and memory (bytes)."
        )
    if len({item["uuid"] for item in listed}) < len(listed):
        raise SettingsInvalid(f"{DECLARED} names a uuid twice; give each device one of its own.")
    return [{name: item[name] for name in GPU_FIELDS} for item in listed]


@contextlib.contextmanager
def _nvml() -> Iterator[None]:
    pynvml.nvmlInit()
    try:
        yield
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _describe(index: int, driver: str) -> Gpu:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    return {
        "uuid": pynvml.nvmlDeviceGetUUID(handle),
        "model": pynvml.nvmlDeviceGetName(handle),
        "memory": int(pynvml.nvmlDeviceGetMemoryInfo(handle).total),
        "driver": driver,
    }


def _sample(uuid: str) -> tuple[int, int]:
    handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
    return int(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu), int(pynvml.nvmlDeviceGetMemoryInfo(handle).used)


def _is_gpu(item: Any) -> bool:
    return isinstance(item, dict) and all(type(item.get(name)) is kind for name, kind in GPU_FIELDS.items())
