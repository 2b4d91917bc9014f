"""Makes one environment of containers: an image, and on top of it what pip and apt installed in a box of their own.

What runs there is strangers' code with root's rights inside the box, since Debian's packages need them. So the box has a
network, the image, and the few capabilities of apt; no uploaded code, no dataset, no token, and of the worker's variables
only those that configure pip. These come as a file that is gone before the image is made, never as the box's own.
"""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker.errors

from nsml_worker import build_steps
from nsml_worker.containers.engine import BUILD, ENVIRONMENT, Engine, telling
from nsml_worker.containers.image import scrub_variables, volumes_of
from nsml_worker.containers.recipe import REPOSITORY, Recipe
from nsml_worker.environment_build import (
    BUILD_SECONDS,
    MAX_OUTPUT,
    MAX_REASON,
    MAX_TOLD,
    cut,
    find_reason,
    find_step,
    redact,
)
from nsml_worker.errors import EngineFailed, EnvironmentFailed, PreparationStopped
from nsml_worker.runner import Tell

FOLDER = "nsml-build"  # at the top of the box
# What dpkg and apt need: to own files as packages say, to change to their own users, to end their children.
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID")
PROCESSES = 1024
COVER = (
    "nosuid,nodev,size=64m"  # what is laid over a volume of the image: apt may write to it, and nothing of that is kept
)
NO_CHECK = {"test": ["NONE"]}  # an image may ask for a command of its own to be run again and again
UNWATCHED = 60.0  # seconds beyond its time after which a box ends itself, whose worker was killed
LOOK = 0.5  # seconds between two looks at the box
WEIGH = 10.0  # seconds between two looks at how large it has become
TAIL = 500  # lines of output that are looked at for a reason
_NAMING_A_FILE = frozenset({"PIP_CERT", "PIP_CONFIG_FILE", "PIP_CLIENT_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"})
_NAMING_A_FOLDER = frozenset({"PIP_FIND_LINKS", "SSL_CERT_DIR", "PIP_CACHE_DIR", "PIP_TARGET", "PIP_PREFIX"})


@dataclass(frozen=True)
class BuildSite:
    """How build boxes are made on this node. `variables` configure pip; `size` is the most that is installed, in bytes."""

    network: str = "bridge"
    runtime: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    size: int = 10 * 2**30
    seconds: float = BUILD_SECONDS


def build(engine: Engine, recipe: Recipe, site: BuildSite, tell: Tell, stop: threading.Event) -> str:
    """Make the image; returns its id. Nothing is left of a build that does not come to its end.

    Raises:
        EnvironmentFailed: with what pip or apt said.
        PreparationStopped: the run was.
        EngineFailed: the engine's fault.
    """
    tell(f"Installing {', '.join(recipe.wanted)}"[:MAX_TOLD])
    with telling("The image of an environment cannot be looked at"):
        image = engine.api.inspect_image(recipe.image)
    with _making(engine, recipe, image, site) as box:
        status = _follow(engine, box, site, tell, stop)
        if status:
            raise EnvironmentFailed(redact(_find_reason(engine, box, recipe, status), site.variables))
        tell(f"Keeping the environment: {', '.join(recipe.wanted)}"[:MAX_TOLD])
        with telling("The environment cannot be kept"):
            labels = engine.labels(ENVIRONMENT, **{"nsml.base": recipe.image})
            conf = {"Labels": labels, "Env": image["Config"].get("Env") or []}
            return str(engine.api.commit(box, REPOSITORY, recipe.key, conf=conf)["Id"])


def pack(
    recipe: Recipe, variables: Mapping[str, str], volumes: Sequence[str] = (), seconds: float = BUILD_SECONDS
) -> bytes:
    """What is put into the box before it starts, as a tar.

    Args:
        volumes: folders of which nothing is kept.
        seconds: when the box ends itself, should nobody look.
    """
    files, inside = {}, {}
    for name, value in variables.items():
        if name in _NAMING_A_FILE and Path(value).is_file():
            files[name] = Path(value).read_bytes()
            inside[name] = f"/{FOLDER}/{name}"
        elif name not in _NAMING_A_FILE | _NAMING_A_FOLDER or "://" in value:
            inside[name] = value
    wanted: dict[str, Any] = {"packages": recipe.packages, "requirements": recipe.requirements}
    wanted |= {"variables": inside, "volumes": list(volumes), "seconds": int(seconds)}
    files["wanted.json"] = json.dumps(wanted).encode()
    files["steps.py"] = Path(build_steps.__file__).read_bytes()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        folder = tarfile.TarInfo(FOLDER)
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(folder)
        for name, data in files.items():
            entry = tarfile.TarInfo(f"{FOLDER}/{name}")
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


@contextlib.contextmanager
def _making(engine: Engine, recipe: Recipe, image: Mapping[str, Any], site: BuildSite) -> Iterator[str]:
    """A build box that has been started. It is gone afterwards, whatever happened."""
    volumes = volumes_of(image, recipe.name)
    box = _create(engine, recipe, image, volumes, site)
    try:
        with telling("The packages cannot be installed"):
            engine.api.put_archive(box, "/", pack(recipe, site.variables, volumes, site.seconds + UNWATCHED))
            engine.api.start(box)
        yield box
    finally:
        engine.remove(box)


def _create(engine: Engine, recipe: Recipe, image: Mapping[str, Any], volumes: Sequence[str], site: BuildSite) -> str:
    with telling("A box for the packages cannot be made"):
        info = engine.api.info()
        memory, processors = int(info["MemTotal"]) // 2, max(1, int(info["NCPU"]) // 2)
        host = engine.api.create_host_config(
            network_mode=site.network, cap_drop=["ALL"], cap_add=list(CAPABILITIES), security_opt=["no-new-privileges"],
            mem_limit=memory, memswap_limit=memory, nano_cpus=processors * 10**9, pids_limit=PROCESSES,
            tmpfs=dict.fromkeys(volumes, COVER), runtime=site.runtime, init=True, oom_score_adj=500,
            log_config={"Type": "json-file", "Config": {"max-size": "16m", "max-file": "1"}},
        )  # fmt: skip
        made = engine.api.create_container(
            recipe.image, entrypoint=[recipe.python], command=["-I", f"/{FOLDER}/steps.py", f"/{FOLDER}"], user="0:0",
            working_dir="/", environment=scrub_variables(image), host_config=host, healthcheck=NO_CHECK,
            labels=engine.labels(BUILD, **{"nsml.key": recipe.key}),
        )  # fmt: skip
        return str(made["Id"])


def _follow(engine: Engine, box: str, site: BuildSite, tell: Tell, stop: threading.Event) -> int:
    """The exit status of the steps."""
    began = weighed = time.monotonic()
    while (status := engine.wait(box, LOOK)) is None:
        now = time.monotonic()
        if stop.is_set():
            raise PreparationStopped("Stopped while its packages were being installed.")
        if now - began > site.seconds:
            raise EnvironmentFailed(f"they were not installed after {site.seconds:g} seconds")
        if now - weighed > WEIGH:
            weighed = now
            if _weigh(engine, box) > site.size:
                raise EnvironmentFailed(
                    f"they need more than the {site.size / 1e9:,.1f} GB that an environment may have"
                )
        step = find_last_step(_read(engine, box, 20))
        if step:
            tell(step)
    return status


def find_last_step(output: str) -> str:
    """The last line that says what is being done, without addresses; empty when none does."""
    return next(filter(None, map(find_step, reversed(cut(output).splitlines()))), "")


def _weigh(engine: Engine, box: str) -> int:
    """Bytes that were written in the box."""
    with telling("The box for the packages cannot be weighed"):
        found: list[dict[str, Any]] = engine.api.containers(all=True, size=True, filters={"id": box})
        return max((int(one.get("SizeRw") or 0) for one in found), default=0)


def _read(engine: Engine, box: str, tail: int) -> str:
    with telling("What pip says cannot be read"):
        try:
            said: bytes = engine.api.logs(box, tail=tail)
        except docker.errors.NotFound:
            return ""
        return said[-MAX_OUTPUT:].decode("utf-8", "replace")


def _find_reason(engine: Engine, box: str, recipe: Recipe, status: int) -> str:
    facts = engine.inspect(box) or {}
    if (facts.get("State") or {}).get("OOMKilled"):
        return "installing them needs more memory than there is for that here"
    output = _read(engine, box, TAIL)
    if "no space left on device" in output.lower():
        raise EngineFailed("The disk on which environments are built is full.")
    return describe_failure(output, recipe, status)


def describe_failure(output: str, recipe: Recipe, status: int) -> str:
    """Why packages could not be installed, in the words of whoever refused, in one line."""
    lines = [line.strip() for line in cut(output).splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    if last == f"{build_steps.MARK}{build_steps.NO_APT}":
        return f"{recipe.name} has no apt-get for {', '.join(recipe.packages)}"
    if last == f"{build_steps.MARK}{build_steps.NO_PIP}":
        return f"the Python of {recipe.name} has no pip for {', '.join(recipe.requirements)}"
    if last == f"{build_steps.MARK}{build_steps.NO_PLACE}":
        return f"the Python of {recipe.name} keeps its packages in a VOLUME, and nothing that is installed there stays"
    apt = list(dict.fromkeys(line.removeprefix("E:").strip() for line in lines if line.startswith("E:")))
    pip = any(line.startswith("ERROR:") for line in lines)
    if apt and not pip:
        return f"apt-get: {' '.join(apt)}"[:MAX_REASON].rstrip(".")
    return find_reason(output) if lines else f"pip ended with {status} and gave no reason"
