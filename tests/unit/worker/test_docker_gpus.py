"""GPUs on their road through the runner, to an engine that only writes down what it is asked for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker.errors
import pytest
import yaml

from nsml_worker.containers import disk
from nsml_worker.containers.box import Site
from nsml_worker.containers.engine import Engine
from nsml_worker.containers.environments import PreparedImage
from nsml_worker.containers.runner import DockerRunner
from nsml_worker.contract import Limits, Mount, RunKind, RunSpec, Tree
from nsml_worker.materialise import BlobCache

ROOT = Path(__file__).parents[3]
UUIDS = ("GPU-11111111-aaaa", "GPU-22222222-bbbb")
IMAGE_VARIABLES = ["PATH=/usr/bin", "NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_REQUIRE_CUDA=cuda>=9", "CUDA_VERSION=9.0"]


class Listing:
    """Stands in for the SDK's client: makes containers of nothing, and tells of none."""

    base_url, api_version = "http://engine", "1.41"

    def __init__(self) -> None:
        self.made: list[dict[str, Any]] = []
        self.started: list[str] = []

    def inspect_image(self, image: str) -> dict[str, Any]:
        return {"Id": image, "Config": {"Env": IMAGE_VARIABLES}}

    def create_container_from_config(self, wanted: dict[str, Any], name: str) -> dict[str, Any]:
        self.made.append(wanted)
        return {"Id": name}

    def start(self, container: str) -> None:
        self.started.append(container)

    def get(self, *_: Any, **__: Any) -> Any:
        raise docker.errors.DockerException("there are no events")

    def ping(self) -> bool:
        return False


class Images:
    """Stands in for the environments of a node."""

    images = holds = ()

    def prepare(self, *_: Any) -> PreparedImage:
        return PreparedImage("sha256:abc", "/usr/bin/python3", "/usr/bin")

    def close(self) -> None:
        pass


@pytest.fixture
def engine() -> Listing:
    return Listing()


@pytest.fixture
def runner(tmp_path: Path, engine: Listing, monkeypatch: pytest.MonkeyPatch) -> Iterator[DockerRunner]:
    monkeypatch.setattr(disk, "find_obstacle", lambda _: "no disks in this test")
    there = Engine(engine, "node", str(tmp_path), {"base_url": "tcp://engine:1"})
    images: Any = Images()
    made = DockerRunner(tmp_path / "boxes", there, images, Site(tmp_path / "sdk", 2**34))
    yield made
    made.close()


def start(runner: DockerRunner, folder: Path, gpus: tuple[str, ...]) -> None:
    mounts = (Mount("/app", Tree(), writable=True),)
    argv = ("python", "-u", "main.py")
    spec = RunSpec(7, 1, RunKind.TRAIN, "u/kin/1", "default", argv, mounts, limits=Limits(gpus=gpus))
    box = runner.find(spec, "secret")
    box.create()
    runner.prepare(box, BlobCache(folder / "cache"))
    runner.start(box)


def variables(made: dict[str, Any]) -> dict[str, str | None]:
    return {name: value if sign else None for name, sign, value in (one.partition("=") for one in made["Env"])}


def test_a_box_is_made_with_the_very_devices_it_was_placed_on(
    runner: DockerRunner, engine: Listing, tmp_path: Path
) -> None:
    start(runner, tmp_path, UUIDS)
    (made,) = engine.made
    assert made["HostConfig"]["DeviceRequests"] == [{"DeviceIDs": list(UUIDS), "Capabilities": [["gpu"]]}]
    seen = variables(made)
    assert seen["CUDA_VISIBLE_DEVICES"] == seen["NVIDIA_VISIBLE_DEVICES"] == ",".join(UUIDS)
    assert seen["NVIDIA_DRIVER_CAPABILITIES"] == "compute,utility"
    assert len(engine.started) == 1


def test_one_without_gpus_gets_none_whatever_its_image_says(
    runner: DockerRunner, engine: Listing, tmp_path: Path
) -> None:
    start(runner, tmp_path, ())
    (made,) = engine.made
    seen = variables(made)
    assert made["HostConfig"]["DeviceRequests"] == []
    assert (seen["NVIDIA_VISIBLE_DEVICES"], seen["CUDA_VISIBLE_DEVICES"]) == ("void", "")
    assert seen["NVIDIA_REQUIRE_CUDA"] is None
    assert "CUDA_VERSION" not in seen  # harmless, and stays as the image has it


def test_the_worker_of_the_compose_file_may_ask_nvml_and_nothing_more() -> None:
    plain, more = (
        yaml.safe_load((ROOT / name).read_text()) for name in ("docker-compose.yml", "docker/docker-compose.gpu.yml")
    )
    assert set(more["services"]) == {"worker"} < set(plain["services"])
    devices = more["services"]["worker"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": "all", "capabilities": ["gpu", "utility"]}]
