"""python -m nsml_worker.doctor: what this machine can enforce and what not, one line each."""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from nsml_worker.capacity import find_gpus
from nsml_worker.checkup import Finding, Level, judge, judge_version
from nsml_worker.containers.disk import find_obstacle
from nsml_worker.containers.doctor import examine_engine
from nsml_worker.settings import find_logins

TIMEOUT = 10.0  # seconds for a program that is tried out
LEAST_DISK = 20 * 2**30  # bytes
GIB = 2**30
TOOLKIT = "nvidia-ctk"
TOOLKIT_SAFE = ((1, 17, 8),)
TOOLKIT_HOLES = "CVE-2024-0132, CVE-2025-23359 and CVE-2025-23266"
ENGINE, LATER, IMAGES = "containers", "containers later", "runtime images"
UNSYNCHRONISED = 5  # what adjtimex(2) answers then
_TIMEX_BYTES = 512  # more than struct timex has anywhere

Run = Callable[[Sequence[str]], tuple[int, str]]


def main(words: Sequence[str]) -> int:
    """Print the findings. The exit code is 1 when boxes cannot be sealed at all."""
    parser = argparse.ArgumentParser(prog="nsml_worker.doctor", description=__doc__)
    parser.add_argument("-j", "--json", action="store_true", help="for scripts")
    parser.add_argument("--data", default=".", help="the folder in which boxes are to lie")
    chosen = parser.parse_args(words)
    findings = examine(Path(chosen.data))
    if chosen.json:
        print(json.dumps({"findings": [finding.to_dict() for finding in findings]}, indent=2))
    else:
        print("\n".join([*map(str, findings), "", conclude(findings)]))
    return 0 if is_usable(findings) else 1


def examine(data: Path) -> list[Finding]:
    """Everything, the engine first."""
    return [
        *examine_engine(os.environ),
        examine_loop_disk(),
        *examine_processes(run),
        *examine_gpus(run),
        examine_space(data),
        examine_clock(),
        examine_builds(os.environ),
    ]


def is_usable(findings: Sequence[Finding]) -> bool:
    """Whether there is any wall around a box: an engine, bubblewrap, or namespaces."""
    return find_wall(findings) is not None


def find_wall(findings: Sequence[Finding]) -> str | None:
    """What a worker, left to itself, would seal boxes with here."""
    good = {finding.name for finding in findings if finding.level is Level.OK}
    engine = good >= {"engine", "users of boxes"}
    if engine and IMAGES in good:
        return ENGINE
    return next((name for name in ("bubblewrap", "namespaces") if name in good), LATER if engine else None)


def conclude(findings: Sequence[Finding]) -> str:
    """All of it in two sentences."""
    wall = find_wall(findings)
    weaker = sum(finding.level is Level.WEAKER for finding in findings)
    begin = {
        None: "Boxes cannot be sealed here: run programs of people you trust only.",
        ENGINE: "A worker here runs each program in a container of its own.",
        LATER: "Once the runtime images are here, a worker runs each program in a container of its own.",
    }.get(wall, f"A worker here runs programs as processes, sealed by {wall}.")
    rest = f"{weaker} line{'s say' if weaker > 1 else ' says'} where it is weaker than it could be." if weaker else ""
    return f"{begin} {rest}".rstrip()


def examine_loop_disk() -> Finding:
    """Whether a box can have a disk of its own that is full when it is full."""
    with tempfile.TemporaryDirectory() as folder:
        obstacle = find_obstacle(Path(folder))
    advice = "Run the worker as root with /dev/loop-control and loop devices; until then disk use is only watched."
    return judge(
        "disk of a box", not obstacle, "a file system of its own", f"only watched: {obstacle.rstrip('.')}", advice
    )


def examine_processes(run: Run) -> list[Finding]:
    """What seals a box where there is no engine."""
    bubblewrap = ("bwrap", "--unshare-all", "--ro-bind", "/", "/", "true")
    namespaces = ("unshare", "--mount", "--net", "--pid", "--ipc", "--fork", "true")
    return [
        _tried("bubblewrap", run(bubblewrap), "seals boxes without an engine", "apt-get install bubblewrap, and allow user namespaces."),
        _tried("namespaces", run(namespaces), "seal boxes without an engine, as root", "Run the worker as root, or use Docker or bubblewrap."),
    ]  # fmt: skip


def examine_gpus(run: Run) -> list[Finding]:
    """The devices NVML finds, and what hands them to containers."""
    gpus, fault = find_gpus()
    if not gpus:
        text = f"NVML fails: {fault}" if fault else "NVML finds none: sessions run on processors"
        return [Finding("GPUs", Level.MISSING, text, "Where there are some, install NVIDIA's driver; or declare them in NSML_NODE_GPUS.")]  # fmt: skip
    models = sorted({str(gpu["model"]) for gpu in gpus})
    text = f"{len(gpus)} ({', '.join(models)}), driver {gpus[0]['driver']}"
    code, said = run((TOOLKIT, "--version"))
    if code:
        advice = "Install nvidia-container-toolkit, or containers get no GPU."
        return [Finding("GPUs", Level.OK, text), Finding("NVIDIA toolkit", Level.MISSING, "not installed", advice)]
    return [Finding("GPUs", Level.OK, text), judge_version("NVIDIA toolkit", said, TOOLKIT_SAFE, TOOLKIT_HOLES)]


def examine_space(data: Path) -> Finding:
    """Room for boxes, images and environments."""
    there = next(folder for folder in (data.absolute(), *data.absolute().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    text = f"{free / GIB:.0f} GiB free at {there}"
    advice = "Choose another folder with --data, or make room: images and environments take 20 GiB and more."
    return judge("disk space", free >= LEAST_DISK, text, text, advice)


def examine_clock() -> Finding:
    """Whether something keeps the clock right: leases and times of checkpoints depend on it."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        state = UNSYNCHRONISED
    advice = "Install chrony or systemd-timesyncd."
    return judge("clock", 0 <= state < UNSYNCHRONISED, "kept right", "nothing keeps it right", advice)


def examine_builds(environment: Mapping[str, str]) -> Finding:
    """Whether strangers' code that pip installs gets to see the operator's logins, or pip has to do without them."""
    allowed = environment.get("NSML_BUILD_SECRETS") == "1"
    names = find_logins(environment)
    text = f"{'packages that are built can read' if allowed else 'kept from pip:'} {', '.join(names)}"
    advice = (
        "Name an index and a proxy that need no login; NSML_BUILD_SECRETS=1 is for places where everybody is trusted."
    )
    return judge("logins of builds", not names, "there are none", text, advice)


def run(words: Sequence[str]) -> tuple[int, str]:
    """Exit code and output of a program that is tried out; 127 when it is not there."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        return 127, f"{words[0]} is not installed"
    except (OSError, subprocess.TimeoutExpired) as error:
        return 126, str(error)
    return done.returncode, (done.stdout + done.stderr).strip()


def _tried(name: str, outcome: tuple[int, str], works: str, advice: str) -> Finding:
    code, said = outcome
    first = said.splitlines()[0] if said else f"it ends with exit code {code}"
    return judge(name, code == 0, works, f"does not work here: {first}", advice, Level.MISSING)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
