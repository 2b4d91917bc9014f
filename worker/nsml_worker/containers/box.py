"""From a spec to what the engine is asked to make. No decision here touches the disk or the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nsml_worker.box import Box
from nsml_worker.box_keeper import FOLDER as KEEP
from nsml_worker.box_plan import APP, FETCHED, HOME, SCRATCH, SDK, make_argv, make_environment
from nsml_worker.containers.image import COVER, GPUS, NO_GPU, SCRUBBED
from nsml_worker.contract import Limits, RunKind, RunSpec
from nsml_worker.errors import BoxFailed
from nsml_worker.interpreter import Interpreter
from nsml_worker.sdk_folder import KEEPER_FILE

NOFILE = 16384  # open files of one process; an engine that is itself limited cannot give more than it has
OWN_TASKS = 2  # the init and the keeper, beside what the program may have
OWN_MEMORY = 16  # one part in so many of the node's memory is for the engine, the worker and the rest of the machine
OOM_SCORE = 500  # when the machine runs out of memory, the program goes first
TRAINING = (RunKind.TRAIN, RunKind.FORK)


@dataclass(frozen=True)
class Image:
    """An image that is here, as a box needs to know it. `python` and `path` (PATH) are those for its programs."""

    id: str
    python: str
    path: str
    variables: tuple[str, ...] = ()  # names of those it sets
    volumes: tuple[
        str, ...
    ] = ()  # folders for which the engine would make volumes that nobody limits, as `volumes_of` has them


@dataclass(frozen=True)
class Site:
    """What of the node and the operator's settings goes into a box."""

    sdk: Path
    memory: int  # bytes the node has
    cpus: int = 0  # it has; 0: a box of which nobody says how much memory it gets has no limit
    gpus: int = 0  # it has
    runtime: str | None = None  # an OCI runtime; None: the engine's own
    networks: tuple[str, ...] = ()  # those a training may ask for


def make_container(
    box: Box, places: Mapping[str, Path], image: Image, uid: int, site: Site, labels: dict[str, str]
) -> dict[str, Any]:
    """The body of the engine's "create container".

    Args:
        places: a mount's target → the folder with its files, for all but the code.
        uid: user and group of the program.
    """
    spec = box.spec
    network = choose_network(spec, site)
    return {
        "Image": image.id,
        "Hostname": "nsml",
        "User": f"{uid}:{uid}",
        "WorkingDir": "/" if spec.kind is RunKind.SCORE else APP,
        "Entrypoint": [image.python, "-I", "-S", "-B", f"{SDK}/{KEEPER_FILE}", str(spec.limits.log), "--"],
        "Cmd": make_argv(spec, Interpreter(image.python), []),
        "Env": list_variables(spec, image),
        "Labels": labels,
        "NetworkDisabled": network == "none",
        "Healthcheck": {"Test": ["NONE"]},  # an image may ask for a command of its own to be run again and again
        "HostConfig": {
            **limit(spec.limits, site),
            "NetworkMode": network,
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            "Privileged": False,
            "Init": True,
            "IpcMode": "private",
            "OomScoreAdj": OOM_SCORE,
            "LogConfig": {"Type": "none"},
            "RestartPolicy": {"Name": "no"},
            "AutoRemove": False,
            "Mounts": list_mounts(box, places, site),
            "Tmpfs": dict.fromkeys(find_loose_volumes(spec, image), COVER),
            **({"Runtime": site.runtime} if site.runtime else {}),
        },
    }


def limit(limits: Limits, site: Site) -> dict[str, Any]:
    """The part that bounds what a box may use."""
    memory = limits.memory or share_memory(limits, site)
    gpus = {"DeviceIDs": list(limits.gpus), "Capabilities": [["gpu"]]}
    return {
        "Memory": memory,
        "MemorySwap": memory,
        "NanoCpus": limits.cpus * 10**9,
        "PidsLimit": limits.processes + OWN_TASKS,
        "ShmSize": limits.shm or (memory or site.memory) // 2,
        "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}, {"Name": "nofile", "Soft": NOFILE, "Hard": NOFILE}],
        "DeviceRequests": [gpus] if limits.gpus else [],
    }


def share_memory(limits: Limits, site: Site) -> int:
    """Bytes for a box that asks for none: of the node's memory, less what the node itself needs, as much as the box has of its
    processors or of its GPUs. So the boxes of a node that is full leave each other room.
    """
    if not site.cpus:
        return 0
    share = max(limits.cpus / site.cpus, len(limits.gpus) / site.gpus if site.gpus else 0.0)
    return int(min(1.0, share) * (site.memory - site.memory // OWN_MEMORY))


def choose_network(spec: RunSpec, site: Site) -> str:
    """The name of the network. What predicts or scores has none, whatever is asked for.

    Raises:
        BoxFailed: the competition asks for one that this node does not allow.
    """
    if spec.network is None or spec.kind not in TRAINING:
        return "none"
    if spec.network not in site.networks:
        allowed = ", ".join(site.networks) or "none"
        raise BoxFailed(
            f"The competition's network {spec.network!r} is not allowed on this machine, by NSML_BOX_NETWORKS: {allowed}."
        )
    return spec.network


def list_variables(spec: RunSpec, image: Image) -> list[str]:
    """NAME=VALUE of every variable; a bare NAME takes one of the image's away."""
    own = make_environment(spec, Interpreter(image.python), [])
    own["PATH"] = image.path
    own[GPUS] = ",".join(spec.limits.gpus) or NO_GPU
    if spec.limits.gpus:
        own["NVIDIA_DRIVER_CAPABILITIES"] = "compute,utility"
    scrubbed = [name for name in image.variables if name.startswith(SCRUBBED) and name not in own]
    return [*(f"{name}={value}" for name, value in own.items()), *scrubbed]


def list_mounts(box: Box, places: Mapping[str, Path], site: Site) -> list[dict[str, Any]]:
    """What the box sees besides its image. Nothing of it is writable but what lies on the box's own disk."""
    own = {APP: box.app, HOME: box.home, SCRATCH: box.scratch, KEEP: box.keep}
    lent = {SDK: site.sdk, FETCHED: box.fetched, **places}
    return [
        *(_bind(source, target, read_only=False) for target, source in own.items()),
        *(_bind(source, target, read_only=True) for target, source in sorted(lent.items())),
    ]


def find_loose_volumes(spec: RunSpec, image: Image) -> list[str]:
    """The image's volumes that none of our mounts covers."""
    covered = {APP, HOME, SCRATCH, KEEP, SDK, FETCHED, *(mount.target for mount in spec.mounts)}
    return [path for path in image.volumes if path not in covered]


def _bind(source: Path, target: str, *, read_only: bool) -> dict[str, Any]:
    options = {"Propagation": "rprivate"}
    return {
        "Type": "bind",
        "Source": str(source),
        "Target": target,
        "ReadOnly": read_only,
        "BindOptions": options,
    }
