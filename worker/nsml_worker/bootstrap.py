"""The one place where real things are chosen."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import structlog

from nsml_worker.agent import Agent
from nsml_worker.box import RECORD
from nsml_worker.capacity import Meter
from nsml_worker.containers.box import Site
from nsml_worker.containers.engine import Engine, telling
from nsml_worker.containers.environments import DockerEnvironments
from nsml_worker.containers.runner import DockerRunner
from nsml_worker.containers.site import ImageSite
from nsml_worker.environments import Environments
from nsml_worker.errors import EngineFailed, ImageMissing, SettingsInvalid
from nsml_worker.materialise import BlobCache
from nsml_worker.probing import choose_confinement
from nsml_worker.process_runner import ProcessRunner
from nsml_worker.runner import Runner, describe_node
from nsml_worker.runtimes import DEFAULT, find_runtimes
from nsml_worker.sdk_folder import write_sdk
from nsml_worker.server_api import HttpNode
from nsml_worker.settings import Settings
from nsml_worker.warming import Warmer

CONTAINERS, BOXES = "containers", "boxes"  # below the data folder

log = structlog.get_logger()


def choose_runner(settings: Settings, meter: Meter) -> Runner:
    """The runner of this node: containers where there is an engine for them, else processes, sealed as well as can be.

    Raises:
        EngineFailed: containers were asked for, and no engine answers.
        SettingsInvalid: an engine answers and is to be used, and it has no image for the default runtime.
    """
    settings.data.mkdir(mode=0o711, parents=True, exist_ok=True)
    if os.geteuid() != 0:
        log.warning(
            "not_root", lost="boxes have no user and no disk of their own: disks are measured, and only now and then"
        )
    sdk = write_sdk(settings.data / "sdk")
    if settings.runner == "process":
        return make_process_runner(settings, sdk)
    try:
        return make_docker_runner(settings, sdk, gpus=len(meter.gpus()))
    except ImageMissing as error:
        if settings.runner == "engine":
            raise SettingsInvalid(
                f"Programs are to run in containers here, but {error}. Or set NSML_RUNNER=process, if you trust everybody whose "
                "programs will run here."
            ) from error
        log.warning("docker_not_used", said=str(error))
    except EngineFailed as error:
        if settings.runner == "docker":
            raise
        log.warning("docker_not_used", said=str(error))
    return make_process_runner(settings, sdk)


def make_docker_runner(settings: Settings, sdk: Path, *, gpus: int) -> Runner:
    """A runner with containers. `gpus`: as many the node offers; with any, its runtimes are those for GPUs.

    Raises:
        EngineFailed: no engine answers.
        ImageMissing: containers were not asked for by name, and there is no image for the default runtime.
    """
    own = settings.docker
    engine = Engine.open(own.connection, settings.node, settings.data)
    folder = settings.data / CONTAINERS  # apart from the boxes of processes: their ends are told in another way
    images = ImageSite(
        prefix=own.image_prefix,
        tag=own.image_tag,
        cuda=gpus > 0,
        credentials=own.registry_auth,
        budget=own.image_bytes,
        network=own.build_network,
        runtime=own.oci_runtime,
        variables=settings.pip,
    )
    environments = DockerEnvironments(engine, settings.data / "images", folder, images)
    if settings.runner != "docker" and DEFAULT not in environments.images:
        make = "CUDA=1 make images" if gpus else "make images"
        raise ImageMissing(f"the engine has no image {images.reference_of(DEFAULT)}; `{make}` builds it")
    environments.clear()
    with telling("The Docker engine does not say what it can"):
        info = engine.api.info()
    log.info("engine", version=info.get("ServerVersion"), runtime=own.oci_runtime or "its own")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    site = Site(sdk, memory, len(os.sched_getaffinity(0)), gpus, own.oci_runtime, own.box_networks)
    return DockerRunner(folder, engine, environments, site, disk=own.box_disk)


def make_process_runner(settings: Settings, sdk: Path) -> Runner:
    """A runner with processes."""
    images = find_runtimes(settings.runtimes)
    confinement = choose_confinement(settings.confinement, images, sdk, settings.data / "probe")
    log.info("confinement", chosen=confinement.name, runtimes=sorted(images))
    boxes = settings.data / BOXES
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
    if settings.kept_from_pip:
        log.warning("logins_kept_from_pip", variables=settings.kept_from_pip, otherwise="NSML_BUILD_SECRETS=1")
    meter = Meter(settings.data, settings.gpus)
    runner = choose_runner(settings, meter)
    server = HttpNode(settings.server_url, settings.node, settings.node_token, halt)
    capacity = describe_node(runner, meter.measure())
    warmer = Warmer(server.fetch_wanted, runner.warm, halt) if isinstance(runner, DockerRunner) else None
    cache = BlobCache(settings.data / "cache", settings.cache_bytes)
    return Agent(server, runner, cache, capacity, halt, meter, warmer)


def has_boxes(data: Path) -> bool:
    """Whether an earlier worker left boxes in this folder."""
    return any(any((data / place).glob(f"*/{RECORD}")) for place in (CONTAINERS, BOXES))
