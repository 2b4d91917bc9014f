"""From a spec and a laid-out box to what the supervisor is told. No decision here touches the disk."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nsml import _contract as sdk_contract
from nsml_worker.box import Box
from nsml_worker.confinement import Bind, Confinement, Plan
from nsml_worker.contract import RunKind, RunSpec
from nsml_worker.interpreter import Interpreter
from nsml_worker.run import SCORE_PROGRAM
from nsml_worker.runtimes import TF1_ON_2
from nsml_worker.sdk_folder import SCORE_FILE

APP, HOME, SCRATCH, SDK = "/app", "/nsml", "/tmp", "/sdk"  # noqa: S108  paths in the box
ENV_TENSORFLOW = "NSML_TENSORFLOW"  # read by box_site
FETCHED = f"{HOME}/{sdk_contract.FETCHED}"

# Of the node, what any program needs. Nothing here names a person's folder or a service's socket.
SYSTEM_FOLDERS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SYSTEM_FILES = (
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/group",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
)
_NAMES = frozenset(value for name, value in vars(sdk_contract).items() if name.startswith("ENV_"))


@dataclass(frozen=True)
class Layout:
    """Where things are on the node. `places` maps a mount's target to the folder with its files."""

    box: Box
    places: dict[str, Path]
    sdk: Path
    uid: int | None
    grace: float


def make_plan(
    spec: RunSpec, layout: Layout, confinement: Confinement, interpreter: Interpreter
) -> list[tuple[str, str]]:
    """The fields of the supervisor's plan."""
    seen = [] if confinement.mounts else list_paths(layout)
    launcher = confinement.launch(
        Plan(
            binds=(*find_system_binds(), *list_binds(spec, layout, interpreter)) if confinement.mounts else (),
            cwd=choose_cwd(spec, layout, confinement),
            root=str(layout.box.folder / "root"),
            uid=layout.uid,
            shm=spec.limits.shm,
        )
    )
    limits, box = spec.limits, layout.box
    optional = {
        "wall_clock": limits.wall_clock,
        "memory": limits.memory,
        "processes": limits.processes,
        "disk": limits.disk,
        "uid": layout.uid,
    }
    return [
        *(("argv", word) for word in (*launcher, *make_argv(spec, interpreter, seen))),
        *(("env", f"{name}={value}") for name, value in make_environment(spec, interpreter, seen).items()),
        *((name, str(value)) for name, value in optional.items() if value is not None),
        *(("disk_folder", str(path)) for path in (box.app, box.home, box.scratch)),
        ("log_cap", str(limits.log)),
        ("grace", str(layout.grace)),
        ("pid_namespace", "yes" if confinement.pid_namespace else "no"),
    ]


def make_argv(spec: RunSpec, interpreter: Interpreter, seen: list[tuple[str, str]]) -> list[str]:
    """The program's own command line."""
    words = [f"{SDK}/{SCORE_FILE}" if word == SCORE_PROGRAM else word for word in spec.argv[1:]]
    return [interpreter.executable, *(translate(word, seen) for word in words)]


def make_environment(spec: RunSpec, interpreter: Interpreter, seen: list[tuple[str, str]]) -> dict[str, str]:
    """Every variable of the program, built from nothing."""
    see = functools.partial(translate, pairs=seen)
    environment = {
        "PATH": interpreter.search_path,
        "HOME": see(SCRATCH),
        "TMPDIR": see(SCRATCH),
        "USER": "nsml",
        "LOGNAME": "nsml",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONPATH": f"{see(SDK)}:{see(APP)}",
        "OMP_NUM_THREADS": str(spec.limits.cpus),
        "CUDA_VISIBLE_DEVICES": ",".join(spec.limits.gpus),
        **{name: value for name, value in spec.environment.items() if name in _NAMES},
        sdk_contract.ENV_HOME: see(HOME),
    }
    if spec.environment_of is not None and spec.environment_of.runtime == TF1_ON_2:
        environment[ENV_TENSORFLOW] = "1"
    if spec.dataset is not None:
        environment[sdk_contract.ENV_DATASET_NAME] = spec.dataset
        environment[sdk_contract.ENV_DATASET_PATH] = see(f"/data/{spec.dataset}")
    return environment


def choose_cwd(spec: RunSpec, layout: Layout, confinement: Confinement) -> str:
    """The code's folder. An evaluation of old stands at the root: some open `data/NAME/…` without a slash before it."""
    if not confinement.mounts:
        return str(layout.box.app)
    return "/" if spec.kind is RunKind.SCORE else APP


def list_paths(layout: Layout) -> list[tuple[str, str]]:
    """(path in the box, real path), the longest first, for a program that sees the real ones."""
    box = layout.box
    fixed = {APP: box.app, HOME: box.home, SCRATCH: box.scratch, SDK: layout.sdk}
    pairs = [(seen, str(real)) for seen, real in {**fixed, **layout.places}.items()]
    return sorted(pairs, key=lambda pair: len(pair[0]), reverse=True)


def translate(text: str, pairs: Iterable[tuple[str, str]]) -> str:
    """A path in the box as the real path it stands for; any other text as it is."""
    for seen, real in pairs:
        if text == seen or text.startswith(f"{seen}/"):
            return real + text[len(seen) :]
    return text


def list_binds(spec: RunSpec, layout: Layout, interpreter: Interpreter) -> list[Bind]:
    """What this box sees besides the system. A folder comes before what lies in it."""
    box = layout.box
    binds = [Bind(prefix, prefix) for prefix in interpreter.prefixes]
    binds += [Bind(str(layout.sdk), SDK), Bind(str(box.scratch), SCRATCH, "write")]
    binds += [Bind(str(box.app), APP, "write"), Bind(str(box.home), HOME, "write"), Bind(str(box.fetched), FETCHED)]
    for mount in sorted(spec.mounts, key=lambda mount: mount.target):
        if mount.target != APP:
            binds.append(Bind(str(layout.places[mount.target]), mount.target, "write" if mount.writable else "read"))
    binds.sort(key=lambda bind: bind.target)  # the node's own folders may lie below /tmp
    if spec.limits.gpus:
        binds += [Bind(device, device, "device") for device in find_gpu_devices()]
    return binds


@functools.cache
def find_system_binds() -> tuple[Bind, ...]:
    """The node's own folders, as they are: a link stays a link."""
    binds = [Bind("/usr", "/usr")]
    for path in map(Path, SYSTEM_FOLDERS):
        if path.is_symlink():
            binds.append(Bind(str(path.readlink()), str(path), "link"))
        elif path.is_dir():
            binds.append(Bind(str(path), str(path)))
    return (*binds, *(Bind(path, path) for path in SYSTEM_FILES if Path(path).exists()))


def find_gpu_devices() -> list[str]:
    """The device files of NVIDIA's driver. Which of the GPUs are used, CUDA_VISIBLE_DEVICES says."""
    return sorted(str(path) for path in Path("/dev").glob("nvidia*") if not path.is_dir())
