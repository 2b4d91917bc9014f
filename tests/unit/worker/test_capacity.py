"""What a node has is found by NVML or declared, and a GPU that is lost is no longer offered."""

import json
from pathlib import Path
from types import SimpleNamespace

import pynvml
import pytest

from nsml_worker.capacity import Meter, find_gpus, read_inventory
from nsml_worker.errors import SettingsInvalid

DECLARED = [{"uuid": "GPU-1", "model": "Tesla P40", "memory": 2**34, "driver": "418.67"}]


class Nvml:
    """NVIDIA's library with two devices, of which some may be lost."""

    def __init__(self) -> None:
        self.devices = ["GPU-a", "GPU-b"]
        self.lost: set[str] = set()
        self.open = 0

    def reach(self, uuid: str) -> str:
        if uuid in self.lost:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return uuid

    def change_open(self, by: int) -> None:
        self.open += by


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Nvml:
    fake = Nvml()
    for name, answer in {
        "nvmlInit": lambda: fake.change_open(1),
        "nvmlShutdown": lambda: fake.change_open(-1),
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
    assert find_gpus() == [
        {"uuid": uuid, "model": "NVIDIA H100", "memory": 80 * 2**30, "driver": "550.54"} for uuid in nvml.devices
    ]
    assert nvml.open == 0


def test_a_lost_device_hides_no_other(nvml: Nvml, tmp_path: Path) -> None:
    nvml.lost = {"GPU-a"}
    assert [gpu["uuid"] for gpu in Meter(tmp_path).measure().gpus] == ["GPU-b"]


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
