"""Which runner a node takes, and from which variables it knows."""

from pathlib import Path

import pytest

from nsml_worker import bootstrap
from nsml_worker.errors import EngineFailed, SettingsInvalid
from nsml_worker.process_runner import ProcessRunner
from nsml_worker.settings import Settings


def read(tmp_path: Path, **variables: str) -> Settings:
    token = tmp_path / "token"
    token.write_text("secret")
    return Settings.read({
        "NSML_SERVER_URL": "http://127.0.0.1:1", "NSML_NODE": "local", "NSML_NODE_TOKEN_FILE": str(token),
        "NSML_BROKER_URL": "memory://", "NSML_WORKER_DATA": str(tmp_path / "data"), "NSML_CONFINEMENT": "none",
        "DOCKER_HOST": f"unix://{tmp_path}/nobody.sock", **variables,
    })  # fmt: skip


@pytest.mark.parametrize("wanted", ["auto", "process"])
def test_without_an_engine_a_node_runs_processes(tmp_path: Path, wanted: str) -> None:
    assert isinstance(bootstrap.choose_runner(read(tmp_path, NSML_RUNNER=wanted)), ProcessRunner)


def test_a_node_that_is_to_run_containers_does_not_run_anything_else(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="does not answer"):
        bootstrap.choose_runner(read(tmp_path, NSML_RUNNER="docker"))


def test_an_unknown_runner_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="auto, docker, process"):
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
