"""What a node has is found by NVML or declared, and a GPU that is lost is no longer offered."""

import json
from pathlib import Path
from types import SimpleNamespace

import pynvml
import pytest

from nsml_worker.capacity import PATIENCE, Meter, find_gpus, read_inventory
from nsml_worker.errors import SettingsInvalid

DECLARED = [{"uuid": "GPU-1", "model": "Tesla P40", "memory": 2**34, "driver": "418.67"}]


class Nvml:
    """NVIDIA's library with two devices, of which some may be lost."""

    def __init__(self) -> None:
        self.devices = ["GPU-a", "GPU-b"]
        self.lost: set[str] = set()
        self.silent: set[str] = set()
        self.failure: int | None = None
        self.open = 0

    def reach(self, uuid: str) -> str:
        if uuid in self.lost:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        if uuid in self.silent:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_UNKNOWN)
        return uuid

    def begin(self) -> None:
        if self.failure is not None:
            raise pynvml.NVMLError(self.failure)
        self.open += 1

    def end(self) -> None:
        self.open -= 1


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Nvml:
    fake = Nvml()
    for name, answer in {
        "nvmlInit": fake.begin,
        "nvmlShutdown": fake.end,
        "nvmlSystemGetDriverVersion": lambda: "550.54",
        "nvmlDeviceGetCount": lambda: len(fake.devices),
        "nvmlDeviceGetHandleByIndex": lambda index: fake.reach(fake.devices[index]),
        "nvmlDeviceGetHandleByUUID": fake.reach,
        "nvmlDeviceGetUUID": lambda handle: handle,
        "nvmlDeviceGetName": lambda _: "NVIDIA H100",
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(total=80 * 2**30, used=2**30),
        "nvmlDeviceGetUtilizationRates": lambda handle: SimpleNamespace(gpu={"GPU-a": 97, "GPU-b": 0}[handle]),
    }.items():
        monkeypatch.setattr(pynvml, name, answer)
    return fake


def test_devices_are_those_that_nvml_finds(nvml: Nvml) -> None:
    found, fault = find_gpus()
    assert found == [
        {"uuid": uuid, "model": "NVIDIA H100", "memory": 80 * 2**30, "driver": "550.54"} for uuid in nvml.devices
    ]
    assert fault == ""
    assert nvml.open == 0


def test_a_lost_device_hides_no_other(nvml: Nvml, tmp_path: Path) -> None:
    nvml.lost = {"GPU-a"}
    assert [gpu["uuid"] for gpu in Meter(tmp_path).measure().gpus] == ["GPU-b"]


def test_a_device_that_is_lost_while_the_node_runs_is_offered_no_more(nvml: Nvml, tmp_path: Path) -> None:
    meter = Meter(tmp_path)
    assert uuids(meter) == ["GPU-a", "GPU-b"]
    nvml.lost = {"GPU-a"}
    assert uuids(meter) == ["GPU-b"]


@pytest.mark.parametrize("failure", [pynvml.NVML_ERROR_UNKNOWN, pynvml.NVML_ERROR_TIMEOUT])
def test_a_failure_of_the_driver_takes_no_device_away_unless_it_lasts(nvml: Nvml, tmp_path: Path, failure: int) -> None:
    now = 0.0
    meter = Meter(tmp_path, clock=lambda: now)
    assert uuids(meter) == ["GPU-a", "GPU-b"]
    nvml.failure = failure
    assert uuids(meter) == ["GPU-a", "GPU-b"]
    now = PATIENCE
    assert uuids(meter) == []
    nvml.failure = None
    assert uuids(meter) == ["GPU-a", "GPU-b"]


def test_a_device_that_nvml_knows_nothing_of_is_given_time_and_the_others_go_on(nvml: Nvml, tmp_path: Path) -> None:
    now = 0.0
    meter = Meter(tmp_path, clock=lambda: now)
    assert uuids(meter) == ["GPU-a", "GPU-b"]
    nvml.silent = {"GPU-a"}
    assert uuids(meter) == ["GPU-a", "GPU-b"]
    now = PATIENCE
    assert uuids(meter) == ["GPU-b"]


def test_without_the_library_there_are_none_at_once(nvml: Nvml, tmp_path: Path) -> None:
    nvml.failure = pynvml.NVML_ERROR_LIBRARY_NOT_FOUND
    assert find_gpus() == ([], "")


def uuids(meter: Meter) -> list[str]:
    return [gpu["uuid"] for gpu in meter.gpus()]


def test_use_is_told_for_each_device_of_a_run(nvml: Nvml, tmp_path: Path) -> None:
    use = Meter(tmp_path).use_of(["GPU-b", "GPU-a"])
    assert (use.gpu_utilisation, use.gpu_memory) == ((0, 97), (2**30, 2**30))
    nvml.lost = {"GPU-b"}
    assert Meter(tmp_path).use_of(["GPU-b", "GPU-a"]).gpu_utilisation == ()


def test_a_declaration_takes_the_place_of_nvml(nvml: Nvml, tmp_path: Path) -> None:
    capacity = Meter(tmp_path, json.dumps(DECLARED)).measure()
    assert list(capacity.gpus) == DECLARED
    assert capacity.disk > 0


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "{}",
        "[1]",
        json.dumps([{"uuid": "a"}]),
        json.dumps(DECLARED * 2),
        json.dumps([{**DECLARED[0], "memory": True}]),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(SettingsInvalid, match="NSML_NODE_GPUS"):
        read_inventory(text)
