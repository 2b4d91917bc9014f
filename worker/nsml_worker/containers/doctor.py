"""What this machine's Docker engine can enforce."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nsml_worker.capacity import DECLARED, Meter
from nsml_worker.checkup import Finding, Level, judge, judge_version
from nsml_worker.containers.engine import Engine, telling
from nsml_worker.containers.site import ImageSite, has_registry
from nsml_worker.errors import EngineFailed, SettingsInvalid
from nsml_worker.runtimes import DEFAULT

LEAST_API = (1, 41)
# First corrected versions of the container escapes that participants could try.
RUNC_SAFE = ((1, 2, 8), (1, 3, 3))
RUNC_HOLES = "CVE-2019-5736, CVE-2024-21626 and CVE-2025-31133/52565/52881"
SANDBOXES = ("runsc", "kata")
_LIMITS = (
    ("MemoryLimit", "memory limit", "boxes can take all memory"),
    ("SwapLimit", "swap limit", "a box can swap beyond its memory limit"),
    ("CpuCfsQuota", "CPU limit", "a box can take all processors"),
    ("PidsLimit", "process limit", "a fork bomb takes the machine with it"),
)


def examine_engine(environment: Mapping[str, str]) -> list[Finding]:
    """Everything there is to say about the engine that `docker` would speak to."""
    try:
        engine = Engine.open(environment, "doctor", Path())
    except EngineFailed as error:
        advice = "Install Docker and start it, or go on without: boxes are then processes."
        return [Finding("engine", Level.MISSING, str(error).rstrip("."), advice)]
    try:
        with telling("The Docker engine does not say what it is"):
            found = judge_engine(engine.api.info(), engine.api.version())
            return [*found, judge_images(_list_tags(engine), find_site(environment))]
    except SettingsInvalid as error:
        return [*found, Finding("runtime images", Level.MISSING, str(error), f"Correct {DECLARED}.")]
    except EngineFailed as error:
        return [Finding("engine", Level.MISSING, str(error).rstrip("."), "Look into the engine's own log.")]
    finally:
        engine.close()


def judge_engine(info: Mapping[str, Any], version: Mapping[str, Any]) -> list[Finding]:
    """From what the engine answers to `docker info` and `docker version`."""
    api = str(version.get("ApiVersion", "0"))
    current = tuple(int(part) for part in api.split(".") if part.isdecimal()) >= LEAST_API
    said = f"Docker {version.get('Version', '?')}, API {api}, {info.get('Driver', '?')}"
    return [
        judge("engine", current, said, f"{said}: older than API 1.41", "Update Docker to 20.10 or newer."),
        *(_judge_limit(info, *limit) for limit in _LIMITS),
        *_judge_security([str(option) for option in info.get("SecurityOptions") or ()]),
        _judge_runtimes(info.get("Runtimes") or {}),
        judge_version("runc", _version_of_runc(version), RUNC_SAFE, RUNC_HOLES),
    ]


def judge_images(tags: Sequence[str], site: ImageSite) -> Finding:
    """Which of the platform's runtimes are here: without the default one nothing starts in a container."""
    here = sorted({name for tag in tags if (name := site.runtime_of(tag))})
    if has_registry(site.prefix):
        return Finding("runtime images", Level.OK, f"taken from {site.prefix} when they are wanted")
    lacking = site.reference_of(DEFAULT)
    return judge(
        "runtime images", DEFAULT in here, ", ".join(here), f"{lacking} is not here",
        "Build it with `make images`; until then boxes are processes, unless NSML_RUNNER=docker.", Level.MISSING,
    )  # fmt: skip


def find_site(environment: Mapping[str, str]) -> ImageSite:
    """As the worker would read it. Raises SettingsInvalid."""
    prefix, tag = environment.get("NSML_IMAGE_PREFIX", ImageSite.prefix), environment.get("NSML_IMAGE_TAG")
    return ImageSite(prefix, tag or ImageSite.tag, cuda=bool(Meter(Path(), environment.get(DECLARED, "")).gpus()))


def _list_tags(engine: Engine) -> list[str]:
    return [tag for image in engine.api.images() for tag in image.get("RepoTags") or ()]


def _judge_limit(info: Mapping[str, Any], key: str, name: str, otherwise: str) -> Finding:
    advice = "Switch the kernel's control group on: `cgroup_enable=memory swapaccount=1`, or use cgroup v2."
    cgroup = f"enforced by cgroup v{info.get('CgroupVersion') or '1'}"
    return judge(name, bool(info.get(key)), cgroup, f"not enforced: {otherwise}", advice)


def _judge_security(options: list[str]) -> list[Finding]:
    seccomp = any(option.startswith("name=seccomp") and "unconfined" not in option for option in options)
    remapped = any(option.startswith(("name=userns", "name=rootless")) for option in options)
    return [
        judge(
            "seccomp", seccomp, "the engine's default profile", "no profile: every system call is open to boxes",
            "Use a kernel and an engine with seccomp.",
        ),
        judge(
            "users of boxes", not remapped, "users of this machine, without rights",
            "the engine gives them other numbers (userns-remap or rootless), so they cannot read the folders made for them",
            'Take "userns-remap" out of /etc/docker/daemon.json and let root run the engine; for another wall install gVisor.',
            Level.MISSING,
        ),
    ]  # fmt: skip


def _judge_runtimes(runtimes: Mapping[str, Any]) -> Finding:
    known = sorted(name for name in runtimes if not name.startswith("io.containerd."))
    sandbox = next((name for name in known if name.startswith(SANDBOXES)), None)
    found = ", ".join(known) or "none named"
    return judge(
        "OCI runtimes", sandbox is not None, f"{found}; NSML_DOCKER_RUNTIME={sandbox} puts a second wall around boxes",
        f"{found}: boxes share the machine's kernel", "For strangers' code install gVisor and set NSML_DOCKER_RUNTIME=runsc.",
    )  # fmt: skip


def _version_of_runc(version: Mapping[str, Any]) -> str:
    parts = [part for part in version.get("Components") or () if part.get("Name") == "runc"]
    return str(parts[0].get("Version", "")) if parts else ""
