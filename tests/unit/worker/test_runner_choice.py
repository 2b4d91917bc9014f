"""Which runner a node takes, and from which variables it knows."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from nsml_worker import bootstrap, capacity
from nsml_worker.capacity import Meter
from nsml_worker.containers import doctor as containers_doctor
from nsml_worker.containers.engine import Engine
from nsml_worker.containers.site import ImageSite
from nsml_worker.errors import EngineFailed, SettingsInvalid
from nsml_worker.process_runner import ProcessRunner
from nsml_worker.runner import Runner
from nsml_worker.settings import Settings

GPU = {"uuid": "GPU-1", "model": "Tesla P40", "memory": 2**34, "driver": "418.67"}


def read(tmp_path: Path, **variables: str) -> Settings:
    token = tmp_path / "token"
    token.write_text("secret")
    return Settings.read({
        "NSML_SERVER_URL": "http://127.0.0.1:1", "NSML_NODE": "local", "NSML_NODE_TOKEN_FILE": str(token),
        "NSML_BROKER_URL": "memory://", "NSML_WORKER_DATA": str(tmp_path / "data"), "NSML_CONFINEMENT": "none",
        "DOCKER_HOST": f"unix://{tmp_path}/nobody.sock", **variables,
    })  # fmt: skip


def choose(settings: Settings) -> Runner:
    return bootstrap.choose_runner(settings, Meter(settings.data, settings.gpus))


@pytest.mark.parametrize("wanted", ["auto", "engine", "process"])
def test_without_an_engine_a_node_runs_processes(tmp_path: Path, wanted: str) -> None:
    assert isinstance(choose(read(tmp_path, NSML_RUNNER=wanted)), ProcessRunner)


class EmptyEngine:
    """One that answers and has no image."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sites: list[ImageSite] = []
        monkeypatch.setattr(Engine, "open", lambda *_: None)
        monkeypatch.setattr(bootstrap, "DockerEnvironments", self.look)

    def look(self, _engine: None, _folder: Path, _boxes: Path, site: ImageSite) -> SimpleNamespace:
        self.sites.append(site)
        return SimpleNamespace(images=())


def test_an_engine_without_the_default_image_is_passed_over_by_whoever_may_do_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    EmptyEngine(monkeypatch)
    assert isinstance(choose(read(tmp_path, NSML_RUNNER="auto")), ProcessRunner)


def test_a_machine_that_has_an_engine_does_not_quietly_run_strangers_as_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    EmptyEngine(monkeypatch)
    with pytest.raises(SettingsInvalid, match=r"nsmlctl/runtime-default:latest; `make images` .* NSML_RUNNER=process"):
        choose(read(tmp_path, NSML_RUNNER="engine"))


@pytest.mark.parametrize(("declared", "cuda"), [("", False), (json.dumps([GPU]), True)])
def test_gpus_that_are_only_declared_are_reason_enough_for_the_images_for_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, declared: str, cuda: bool
) -> None:
    monkeypatch.setattr(capacity, "find_gpus", lambda: ([], ""))
    engine = EmptyEngine(monkeypatch)
    choose(read(tmp_path, NSML_NODE_GPUS=declared))
    assert [site.cuda for site in engine.sites] == [cuda]
    assert containers_doctor.find_site({"NSML_NODE_GPUS": declared}).cuda is cuda


def test_a_node_that_is_to_run_containers_does_not_run_anything_else(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="does not answer"):
        choose(read(tmp_path, NSML_RUNNER="docker"))


def test_an_unknown_runner_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="auto, engine, docker, process"):
        read(tmp_path, NSML_RUNNER="podman")


def test_what_is_set_for_containers_is_read_and_what_is_not_has_a_default(tmp_path: Path) -> None:
    own = read(tmp_path).docker
    assert (own.image_prefix, own.build_network, own.box_networks, own.oci_runtime) == ("nsmlctl/", "bridge", (), None)
    words = {
        "NSML_DOCKER_RUNTIME": "runsc",
        "NSML_BOX_NETWORKS": "open, inside",
        "NSML_BOX_DISK": "1000",
        "NSML_REGISTRY_AUTH": "a/b",
    }
    own = read(tmp_path, **words).docker
    assert (own.oci_runtime, own.box_networks, own.box_disk) == ("runsc", ("open", "inside"), 1000)
    assert own.registry_auth == Path.cwd() / "a/b"
    assert own.connection["DOCKER_HOST"].startswith("unix://")
