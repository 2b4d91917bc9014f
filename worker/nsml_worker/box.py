"""A box's folder: what is where, and the facts about it that outlive the worker.

<boxes>/<run>-<attempt>/
    record.json    the spec and the run's token, readable by the worker only
    plan           what the supervisor was told; there from the moment a start was tried
    lock           locked by the supervisor as long as it lives; holds its process id
    log            the program's output, as the supervisor caps it
    started        a launcher between us and the program has reached it
    exit           the program ended and nothing of it is left
    events.jsonl   what was or will be told to the server
    app/           the code, writable          seen as /app where the runner can mount
    home/          the folder NSML_HOME        seen as /nsml
    tmp/           HOME and TMPDIR             seen as /tmp
    fetched/       checkpoints lent to it      seen as /nsml/fetched; only the worker writes there
    views/<name>/  read-only folders, named so that nobody guesses them

A runner that gives boxes a disk of their own keeps in disk/ what the program may write: app/, home/, tmp/ and the log.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from nsml_worker.contract import EndReason, RunSpec
from nsml_worker.errors import BoxUnreadable
from nsml_worker.fields import read_fields

DISK = "disk"
RECORD, PLAN, LOCK, STARTED, EXIT, LOG, EVENTS = (
    "record.json",
    "plan",
    "lock",
    "started",
    "exit",
    "log",
    "events.jsonl",
)
SIGNAL_STATUS = 128  # a launcher between us and the program tells a signal n as exit status 128 + n
LAST_SIGNAL = 64
_NAME = re.compile(r"(\d+)-(\d+)")

log = structlog.get_logger()


@dataclass(frozen=True, order=True)
class BoxId:
    """One attempt of one run."""

    run_id: int
    attempt: int

    def __str__(self) -> str:
        return f"{self.run_id}-{self.attempt}"


@dataclass(frozen=True)
class Exit:
    """How a program ended. `cause` is set when the box ended it, or never reached it."""

    exit_code: int | None = None
    signal: int | None = None
    cause: EndReason | None = None
    detail: str = ""
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory: int = 0  # bytes

    @property
    def reason(self) -> EndReason:
        """The one word for it."""
        if self.cause is not None:
            return self.cause
        if self.signal is not None:
            return EndReason.SIGNALLED
        return EndReason.EXITED if self.exit_code == 0 else EndReason.EXIT_CODE


@dataclass(frozen=True)
class Box:
    """A box on disk."""

    folder: Path
    spec: RunSpec
    token: str

    @property
    def id(self) -> BoxId:
        """Its attempt."""
        return BoxId(self.spec.run_id, self.spec.attempt)

    @property
    def room(self) -> Path:
        """Where everything lies that the program may write to: its own disk, where it has one."""
        disk = self.folder / DISK
        return disk if disk.is_dir() else self.folder

    @property
    def app(self) -> Path:
        """The code."""
        return self.room / "app"

    @property
    def home(self) -> Path:
        """The folder the program knows as NSML_HOME."""
        return self.room / "home"

    @property
    def scratch(self) -> Path:
        """HOME and TMPDIR of the program."""
        return self.room / "tmp"

    @property
    def keep(self) -> Path:
        """The folder of the log. On a disk of its own it belongs to the box's user, who may be the program itself."""
        return self.folder if self.room == self.folder else self.room / "keep"

    @property
    def fetched(self) -> Path:
        """What the program asked for while it ran. Outside its home: there it could lead us elsewhere by a link."""
        return self.folder / "fetched"

    @property
    def was_launched(self) -> bool:
        """A start was tried, whatever came of it."""
        return (self.folder / PLAN).exists()

    @property
    def has_ended(self) -> bool:
        """Its end is written down. The supervisor that wrote it may live a moment longer."""
        return (self.folder / EXIT).exists()

    def create(self) -> None:
        """Make the folder with the record in it; one that is there already is left as it is."""
        self.folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.folder.chmod(0o711)
        write_private(self.folder / RECORD, json.dumps({"spec": self.spec.to_dict(), "token": self.token}))

    def empty(self) -> None:
        """Take away what an interrupted preparation left; the record and what was told stay."""
        for path in self.folder.iterdir():
            if path.name in (RECORD, EVENTS):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, onerror=_open_up)
            else:
                path.unlink()

    def remove(self) -> None:
        """Take the folder away. The record goes first: a box without one is not a box."""
        (self.folder / RECORD).unlink(missing_ok=True)
        if self.folder.exists():
            remove_rest(self.folder)

    def read_exit(self) -> Exit | None:
        """How it ended; None while it goes on, or when its supervisor vanished without a word."""
        try:
            facts = dict(read_fields(str(self.folder / EXIT)))
        except FileNotFoundError:
            return None
        return interpret_exit(facts, reached=(self.folder / STARTED).exists())

    def is_supervised(self) -> bool:
        """Whether the supervisor lives: it holds the lock until it is gone, whatever ends it. Who looks shares the lock with
        others who look, so that none of them takes the other for a supervisor.
        """
        try:
            fd = os.open(self.folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def supervisor(self) -> int | None:
        """The supervisor's process id, from the moment it listens."""
        try:
            return int((self.folder / LOCK).read_bytes())
        except (FileNotFoundError, ValueError):
            return None


@dataclass(frozen=True)
class Found:
    """What lies in a folder of boxes. Whatever is named in no box's way is nobody's business here."""

    boxes: tuple[Box, ...] = ()
    rests: tuple[BoxId, ...] = ()  #: without a record: their removal was cut off, and their programs had ended before
    unreadable: tuple[BoxId, ...] = ()  #: with a record that cannot be read now: left alone, for their programs may run


def find_boxes(boxes: Path) -> Found:
    """Everything an earlier worker left. What cannot be read is logged as an error."""
    found: list[Box] = []
    rests: list[BoxId] = []
    unreadable: list[BoxId] = []
    for folder in sorted(boxes.iterdir()):
        named = _NAME.fullmatch(folder.name)
        if named is None:
            continue
        box_id = BoxId(int(named[1]), int(named[2]))
        try:
            box = open_box(folder)
        except BoxUnreadable as error:
            log.error("box_unreadable", box=folder.name, said=str(error))
            unreadable.append(box_id)
            continue
        if box is None:
            rests.append(box_id)
        else:
            found.append(box)
    return Found(tuple(found), tuple(rests), tuple(unreadable))


def open_box(folder: Path) -> Box | None:
    """A box found on disk; None when no record is there: it was not finished being made, or not finished being removed.

    Raises:
        BoxUnreadable: there is a record, and it cannot be read or is not understood.
    """
    try:
        record = json.loads((folder / RECORD).read_bytes())
        return Box(folder, RunSpec.from_dict(record["spec"]), record["token"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BoxUnreadable(
            f"{folder / RECORD} cannot be read: {type(error).__name__} {error}. The box is left as it is; mend the file, or "
            "remove the folder once its program has ended."
        ) from error


def remove_rest(folder: Path) -> None:
    """Take away what is left of a box without a record."""
    shutil.rmtree(folder, onerror=_open_up)


def interpret_exit(facts: dict[str, str], reached: bool) -> Exit:
    """Read what a supervisor wrote. A status above 128 is a launcher's word for a signal."""
    status = int(facts["status"]) if "status" in facts else None
    number = None
    if status is not None and status < 0:
        number, status = -status, None
    elif status is not None and reached and 0 < status - SIGNAL_STATUS <= LAST_SIGNAL:
        number, status = status - SIGNAL_STATUS, None
    return Exit(
        exit_code=status,
        signal=number,
        cause=EndReason(facts["cause"]) if facts["cause"] else None,
        detail=facts["detail"],
        wall_seconds=float(facts["wall_seconds"]),
        cpu_seconds=float(facts["cpu_seconds"]),
        peak_memory=int(facts["peak_memory"]),
    )


def write_private(path: Path, text: str) -> None:
    """Write a file that only the worker may read, whole or not at all."""
    temporary = path.with_name(f".{path.name}")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.rename(path)


def _open_up(function: Any, path: str, _error: Any) -> None:
    """Remove what a program left without permissions; its folders are ours to open, links are not followed."""
    parent = os.path.dirname(path)  # noqa: PTH120
    for folder in (parent, path):
        with contextlib.suppress(OSError):
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            os.fchmod(fd, 0o700)
            os.close(fd)
    if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108
