"""What the server asks of a worker and what a worker answers: plain data, standard library only.

The server builds a RunSpec and reads RunEvents; it imports this module and nothing else of the worker. Facts only: a worker
says what happened and never what state a run is in.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from dataclasses import dataclass, field
from typing import Any, Self

# The Celery task's name and the queue it is sent to. A message is [run id, token] and nothing else.
TASK_RUN = "nsml.run"
TASK_STOP = "nsml.stop"


def queue_of(node: str) -> str:
    """The queue that only this node reads."""
    return f"node.{node}"


class RunKind(enum.StrEnum):
    """What a run executes. `fork`, `serve`, `rehearse` and `trial` share the road of `train` or `predict`."""

    TRAIN = "train"
    FORK = "fork"
    SERVE = "serve"
    PREDICT = "predict"
    SCORE = "score"


class EndReason(enum.StrEnum):
    """How a program's execution ended, as the worker saw it."""

    EXITED = "exited"  #: exit code 0
    EXIT_CODE = "exit_code"  #: another exit code
    SIGNALLED = "signalled"  #: killed by a signal that was not ours
    OUT_OF_MEMORY = "out_of_memory"  #: the box's memory limit
    TOO_MANY_PROCESSES = "too_many_processes"
    DISK_FULL = "disk_full"
    WALL_CLOCK = "wall_clock"  #: the box's time limit
    STOPPED = "stopped"  #: asked for through the server
    ENTRY_MISSING = "entry_missing"
    IMAGE_MISSING = "image_missing"
    NO_PYTHON = "no_python"
    ENVIRONMENT_FAILED = "environment_failed"
    OUTPUT_MISSING = "output_missing"  #: exit code 0 and no result file where one was asked for
    OUTPUT_TOO_LARGE = "output_too_large"
    BOX_LOST = "box_lost"  #: the box vanished while nobody looked: a reboot, an engine restart
    NODE_ERROR = "node_error"  #: ours: the box could not be made, or the worker itself failed


class EventKind(enum.StrEnum):
    """What a RunEvent tells. `data` of each is described beside it."""

    PREPARING = "preparing"  #: {"text": str}: what is being done, for the person who waits
    STARTED = "started"  #: {}
    PAUSED = "paused"  #: {}: the program called nsml.paused
    #: {"name": str, "tree": Tree as dict, "summary": {...}, "saved_at": unix seconds}, or of one that the worker did not take
    #: {"name": str, "refused": why, to follow "was not kept: "}
    CHECKPOINT = "checkpoint"
    FILES = "files"  #: {"tree": Tree as dict, "left_out": [[path, why], …]}: what the program wrote; before ENDED
    ENDED = "ended"  #: see `Ended`
    OTHER = "other"  #: whatever a newer worker tells beyond these: passed over

    @classmethod
    def _missing_(cls, value: object) -> EventKind | None:
        return cls.OTHER if isinstance(value, str) else None


class Plain:
    """Mix-in for frozen dataclasses: to and from what JSON can hold."""

    def to_dict(self) -> dict[str, Any]:
        """Nested dataclasses become dicts, tuples become lists, enums their values."""
        return typing.cast(dict[str, Any], _plain(self))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Inverse of to_dict. Unknown keys are ignored, so that a newer server may add some.

        Raises:
            ValueError: a key is missing or a value has the wrong type.
        """
        return typing.cast(Self, _build(cls, data))


@dataclass(frozen=True)
class FileEntry(Plain):
    """One file of a tree. `path` is relative, with '/' and no '..'; `hash` is BLAKE3 in hex; `mode` its permission bits."""

    path: str
    size: int
    hash: str
    mode: int = 0o644


@dataclass(frozen=True)
class Tree(Plain):
    """A folder by value: its files sorted by path."""

    files: tuple[FileEntry, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.files)


@dataclass(frozen=True)
class Mount(Plain):
    """A tree to lay out in the box at an absolute path; the runner may translate it where it cannot mount."""

    target: str
    tree: Tree
    writable: bool = False


@dataclass(frozen=True)
class Output(Plain):
    """A file below HOME/out that is collected as a blob when the program ended well."""

    name: str
    max_bytes: int


@dataclass(frozen=True)
class Limits(Plain):
    """What a box may use. None means: as much as the node gives."""

    cpus: int = 1
    memory: int | None = None  # bytes
    shm: int | None = None  # bytes
    gpus: tuple[str, ...] = ()  # device UUIDs
    wall_clock: float | None = None  # seconds
    processes: int = 4096
    log: int = 256 * 2**20  # bytes of output kept; the rest is dropped with a visible mark
    disk: int | None = None  # bytes written below /app, /tmp and HOME


@dataclass(frozen=True)
class Environment(Plain):
    """What a program's Python is and has.

    `interpreter` is the path of a Python on the node; `reference` a Docker image; `runtime` one of the platform's own
    runtimes ("default", "tf1", …), of which each runner knows what it means there. At most one is set; none is "default".
    `requirements` are what pip takes, checked: no options, addresses or paths; `packages` are Debian's. `key` is the same for
    the same needs. `unavailable`: why there can be none; then the rest means nothing.
    """

    interpreter: str | None = None
    requirements: tuple[str, ...] = ()
    key: str = ""
    reference: str | None = None
    packages: tuple[str, ...] = ()
    unavailable: str = ""
    runtime: str | None = None


@dataclass(frozen=True)
class RunSpec(Plain):
    """Everything a worker needs to execute one attempt of one run.

    `argv` starts with the word "python", which the runner replaces by the interpreter of `image`. `environment` holds only
    variables named in nsml._contract; NSML_HOME and NSML_DATASET_PATH are set by the runner, which knows the real paths.
    `log_base` and `events_base` are the lengths of the run's streams when this attempt was placed: an attempt's own first byte
    lands there.
    """

    run_id: int
    attempt: int
    kind: RunKind
    session: str
    image: str
    argv: tuple[str, ...]
    mounts: tuple[Mount, ...]
    dataset: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    outputs: tuple[Output, ...] = ()
    limits: Limits = field(default_factory=Limits)
    log_base: int = 0
    events_base: int = 0
    lease: float = 30.0  # seconds until the placement is given to somebody else unless renewed
    environment_of: Environment | None = None  # None: what the node itself calls `image`
    keep_checkpoints: bool = True  # False in predict and score: what they save is dropped
    network: str | None = None  # a network that this training may have where the node allows it; None: none


@dataclass(frozen=True)
class Collected(Plain):
    """A result file the worker has stored as a blob."""

    name: str
    size: int
    hash: str


@dataclass(frozen=True)
class Ended(Plain):
    """`data` of an ENDED event. `error` is the journal's last ERROR line as written, untrusted; `detail` is ours."""

    reason: EndReason
    exit_code: int | None = None
    signal: int | None = None
    detail: str = ""
    error: dict[str, Any] | None = None
    outputs: tuple[Collected, ...] = ()
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory: int = 0  # bytes


@dataclass(frozen=True)
class RunEvent(Plain):
    """One fact. `seq` counts from 1 in each attempt, so that a fact told twice lands once."""

    seq: int
    kind: EventKind
    at: float  # unix seconds on the worker
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Capacity(Plain):
    """What a node offers. `confinement` names how boxes are sealed; "none" means: only for people you trust."""

    cpus: int
    memory: int  # bytes
    gpus: tuple[dict[str, Any], ...] = ()  # {"uuid", "model", "memory", "driver"}
    runner: str = "process"
    confinement: str = "none"
    images: tuple[str, ...] = ()  # runtimes it can run: "default", "tf1", …
    disk: int = 0  # bytes of the file system that boxes lie on; 0: not known
    holds: tuple[str, ...] = ()  # Docker references and keys of environments that are here already
    version: str = ""  # of the worker; empty: older than the first that told it


@dataclass(frozen=True)
class Use(Plain):
    """What one run uses at the moment of a heartbeat. Per GPU in the order of its limits; None: not known."""

    gpu_utilisation: tuple[int, ...] = ()  # percent of each device's time
    gpu_memory: tuple[int, ...] = ()  # bytes of each device
    memory: int | None = None  # bytes
    cpu: float | None = None  # processors busy


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _build(annotation: Any, value: Any) -> Any:
    origin = typing.get_origin(annotation)
    if annotation is Any:
        return value
    if origin in (types.UnionType, typing.Union):
        chosen = next(a for a in typing.get_args(annotation) if a is not type(None))
        return None if value is None else _build(chosen, value)
    if origin is tuple:
        return tuple(_build(typing.get_args(annotation)[0], item) for item in _expect(list, value))
    if origin is dict:
        item_type = typing.get_args(annotation)[1]
        return {_expect(str, key): _build(item_type, item) for key, item in _expect(dict, value).items()}
    if dataclasses.is_dataclass(annotation):
        return _build_dataclass(annotation, _expect(dict, value))
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return annotation(value)
    if annotation is float and type(value) is int:
        return float(value)
    return _expect(annotation, value)


@functools.cache  # it evaluates the annotations anew each time, and there are few classes
def _hints_of(cls: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _build_dataclass(cls: Any, data: dict[str, Any]) -> Any:
    hints = _hints_of(cls)
    try:
        return cls(**{f.name: _build(hints[f.name], data[f.name]) for f in dataclasses.fields(cls) if f.name in data})
    except TypeError as error:
        raise ValueError(f"{cls.__name__}: {error}") from error


def _expect(kind: type[Any], value: Any) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"expected {kind.__name__}, got {type(value).__name__}")
    return value
