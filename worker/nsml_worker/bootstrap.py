"""The one place where real things are chosen."""

from __future__ import annotations

import threading

import structlog

from nsml_worker.agent import Agent
from nsml_worker.capacity import measure_capacity
from nsml_worker.environments import Environments
from nsml_worker.materialise import BlobCache
from nsml_worker.probing import choose_confinement
from nsml_worker.process_runner import ProcessRunner
from nsml_worker.runner import Runner, describe_node
from nsml_worker.runtimes import find_runtimes
from nsml_worker.sdk_folder import write_sdk
from nsml_worker.server_api import HttpNode
from nsml_worker.settings import Settings

log = structlog.get_logger()


def choose_runner(settings: Settings) -> Runner:
    """The runner of this node: processes, sealed as well as this machine can."""
    settings.data.mkdir(mode=0o711, parents=True, exist_ok=True)
    sdk = write_sdk(settings.data / "sdk")
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
    runner = choose_runner(settings)
    server = HttpNode(settings.server_url, settings.node, settings.node_token, halt)
    capacity = describe_node(runner, measure_capacity())
    return Agent(server, runner, BlobCache(settings.data / "cache"), capacity, halt)
