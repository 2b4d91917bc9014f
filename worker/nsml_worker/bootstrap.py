"""The one place where real things are chosen."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import structlog

from nsml_worker.agent import Agent
from nsml_worker.capacity import Meter, find_gpus
from nsml_worker.containers.box import Site
from nsml_worker.containers.engine import Engine, telling
from nsml_worker.containers.environments import DockerEnvironments
from nsml_worker.containers.runner import DockerRunner
from nsml_worker.containers.site import ImageSite
from nsml_worker.environments import Environments
from nsml_worker.errors import EngineFailed
from nsml_worker.materialise import BlobCache
from nsml_worker.probing import choose_confinement
from nsml_worker.process_runner import ProcessRunner
from nsml_worker.runner import Runner, describe_node
from nsml_worker.runtimes import DEFAULT, find_runtimes
from nsml_worker.sdk_folder import write_sdk
from nsml_worker.server_api import HttpNode
from nsml_worker.settings import Settings
from nsml_worker.warming import Warmer

log = structlog.get_logger()


def choose_runner(settings: Settings) -> Runner:
    """The runner of this node: containers where there is an engine for them, else processes, sealed as well as can be.

    Raises:
        EngineFailed: containers were asked for, and no engine answers.
    """
    settings.data.mkdir(mode=0o711, parents=True, exist_ok=True)
    sdk = write_sdk(settings.data / "sdk")
    if settings.runner == "process":
        return make_process_runner(settings, sdk)
    try:
        return make_docker_runner(settings, sdk)
    except EngineFailed as error:
        if settings.runner == "docker":
            raise
        log.info("docker_unavailable", said=str(error))
        return make_process_runner(settings, sdk)


def make_docker_runner(settings: Settings, sdk: Path) -> Runner:
    """A runner with containers.

    Raises:
        EngineFailed: no engine answers; or nobody asked for containers and there is no image for the default runtime.
    """
    own = settings.docker
    engine = Engine.open(own.connection, settings.node, settings.data)
    folder = settings.data / "containers"  # apart from the boxes of processes: their ends are told in another way
    images = ImageSite(
        prefix=own.image_prefix,
        tag=own.image_tag,
        cuda=bool(find_gpus()),
        credentials=own.registry_auth,
        budget=own.image_bytes,
        network=own.build_network,
        runtime=own.oci_runtime,
        variables=settings.pip,
    )
    environments = DockerEnvironments(engine, settings.data / "images", folder, images)
    if settings.runner == "auto" and DEFAULT not in environments.images:
        raise EngineFailed(f"the engine has no image {images.reference_of(DEFAULT)}; `make images` builds it")
    environments.clear()
    with telling("The Docker engine does not say what it can"):
        info = engine.api.info()
    log.info("engine", version=info.get("ServerVersion"), runtime=own.oci_runtime or "its own")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    site = Site(sdk, memory, own.oci_runtime, own.box_networks)
    return DockerRunner(folder, engine, environments, site, disk=own.box_disk)


def make_process_runner(settings: Settings, sdk: Path) -> Runner:
    """A runner with processes."""
    images = find_runtimes(settings.runtimes)
    confinement = choose_confinement(settings.confinement, images, sdk, settings.data / "probe")
    log.info("confinement", chosen=confinement.name, runtimes=sorted(images))
    boxes = settings.data / "boxes"
    environments = Environments(
        settings.data / "environments",
        boxes,
        confinement,
        budget=settings.environment_bytes,
        variables=settings.pip,
    )
    environments.clear()
    return ProcessRunner(boxes, sdk, images, confinement, environments=environments)


def make_agent(settings: Settings) -> Agent:
    """An agent that was not started yet."""
    halt = threading.Event()
    settings.data.mkdir(mode=0o711, parents=True, exist_ok=True)
    meter = Meter(settings.data, settings.gpus)
    runner = choose_runner(settings)
    server = HttpNode(settings.server_url, settings.node, settings.node_token, halt)
    capacity = describe_node(runner, meter.measure())
    warmer = Warmer(server.fetch_wanted, runner.warm, halt) if isinstance(runner, DockerRunner) else None
    return Agent(server, runner, BlobCache(settings.data / "cache"), capacity, halt, meter, warmer)
