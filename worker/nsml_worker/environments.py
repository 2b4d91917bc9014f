"""The environments of this node: each is made once, for whoever needs the same, and kept while there is room.

    <folder>/<name>.json       one line about an environment that is ready; its time is that of the last use
    <folder>/<name>-<random>/  the environment itself, a virtual environment; pip filled it in a box of its own

A program whose requirements its Python has already met needs none: it starts as if it had asked for nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from nsml_worker import environment_build
from nsml_worker.cancellation import Cancellation
from nsml_worker.confinement import Confinement
from nsml_worker.contract import Environment
from nsml_worker.environment_build import Site, Tell
from nsml_worker.errors import ImageMissing
from nsml_worker.fields import read_fields, write_fields
from nsml_worker.installed import find_missing, times_of
from nsml_worker.interpreter import Description, Interpreter, describe
from nsml_worker.process_tree import measure_folder

INTERPRETER = "interpreter"  # in a box's folder: the Python it runs in
BUDGET = 20 * 2**30  # bytes on disk of environments that no box uses, beyond which the longest unused go
TELL_EVERY = 1.0  # seconds between two words on what pip is doing
LOOK_EVERY = 0.5  # seconds between two looks whether one that waits for another's pip is to stop

log = structlog.get_logger()

# Fills a folder; see environment_build.build. Tests give another.
Build = Callable[[Site, Description, tuple[str, ...], Mapping[str, str], Tell, Cancellation], Interpreter]


@dataclass(frozen=True)
class Kept:
    """An environment that is ready."""

    record: Path
    folder: Path
    interpreter: Interpreter
    size: int  # bytes
    used_at: float


class Environments:
    """Finds, makes and forgets environments. Every method may be called by any thread."""

    def __init__(
        self,
        folder: Path,
        boxes: Path,
        confinement: Confinement,
        *,
        budget: int = BUDGET,
        variables: Mapping[str, str] | None = None,
        build: Build = environment_build.build,
    ) -> None:
        """`boxes` is where boxes say which Python they use; `variables` configure pip."""
        self._folder = folder
        self._boxes = boxes
        self._confinement = confinement
        self._budget = budget
        self._variables = dict(variables or {})
        self._build = build
        self._lock = threading.Lock()
        self._turns: dict[str, threading.Lock] = {}

    def prepare(
        self,
        wanted: Environment,
        default: Interpreter,
        box: Path,
        tell: Tell,
        cancellation: Cancellation | None = None,
    ) -> Interpreter:
        """The Python for a box, made now if need be; what `find` finds from then on.

        Args:
            default: the Python of an environment that names none.
            box: the box's folder.
            tell: is given what takes time.

        Raises:
            ImageMissing, NoPython: there is no such Python here.
            EnvironmentFailed: with pip's reason.
            PreparationStopped: it was cancelled.
        """
        if wanted.unavailable or wanted.reference:
            raise ImageMissing(wanted.unavailable or f"{wanted.reference} is a container; this machine runs processes")
        if not (wanted.interpreter or wanted.requirements):
            return self._settle(box, default)
        python = describe(wanted.interpreter or default.executable)
        own = python.interpreter if wanted.interpreter else default
        if not wanted.requirements:
            return self._settle(box, own)
        name = name_of(wanted, python)
        ready = self._reuse(name, box)
        if ready is not None:
            return ready
        missing = find_missing(wanted.requirements, python)
        if not missing:
            return self._settle(box, own)
        cancellation = cancellation or Cancellation()
        with self._turn(name, tell, cancellation):
            return self._reuse(name, box) or self._make(name, python, missing, box, tell, cancellation)

    def find(self, box: Path) -> Interpreter:
        """The Python that was prepared for a box."""
        fields = read_fields(str(box / INTERPRETER))
        return Interpreter(dict(fields)["executable"], tuple(value for name, value in fields if name == "prefix"))

    def clear(self) -> None:
        """Take away what an interrupted worker left half made. For the start, before anything is prepared."""
        if not self._folder.is_dir():
            return
        ready = {kept.folder for kept in self._kept()}
        for path in self._folder.iterdir():
            if path.is_dir() and path not in ready and not self._is_used(path):
                _remove(path)

    def _settle(self, box: Path, interpreter: Interpreter) -> Interpreter:
        """Write down which Python the box uses: from here on it is in use."""
        prefixes = [("prefix", prefix) for prefix in interpreter.prefixes]
        write_fields(str(box / INTERPRETER), [("executable", interpreter.executable), *prefixes])
        return interpreter

    def _reuse(self, name: str, box: Path) -> Interpreter | None:
        """The environment of this name for one more box; None where it has to be made."""
        with self._lock:
            kept = _read(self._folder / f"{name}.json")
            if kept is None:
                return None
            os.utime(kept.record)
            return self._settle(box, kept.interpreter)

    def _turn(self, name: str, tell: Tell, cancellation: Cancellation) -> Turn:
        with self._lock:
            lock = self._turns.setdefault(name, threading.Lock())
        return Turn(lock, tell, cancellation)

    def _make(
        self,
        name: str,
        python: Description,
        missing: tuple[str, ...],
        box: Path,
        tell: Tell,
        cancellation: Cancellation,
    ) -> Interpreter:
        self._folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        folder = self._folder / f"{name}-{secrets.token_hex(4)}"
        site = Site(folder, folder.with_suffix(".scratch"), self._confinement)
        tell(f"Installing {', '.join(missing)}"[:200])
        began = time.monotonic()
        try:
            interpreter = self._build(site, python, missing, self._variables, Paced(tell), cancellation)
        except BaseException:
            _remove(folder)
            raise
        finally:
            _remove(site.scratch)
            _remove(site.scratch.with_suffix(".root"))
        size = int(
            min(measure_folder(str(folder)), self._budget)
        )  # one that cannot be measured takes the place of all others
        log.info("environment_made", name=name, size=size, seconds=round(time.monotonic() - began, 1))
        with self._lock:
            self._write(name, folder, interpreter, size)
            self._settle(box, interpreter)
            self._evict()
        return interpreter

    def _write(self, name: str, folder: Path, interpreter: Interpreter, size: int) -> None:
        record = self._folder / f"{name}.json"
        fresh = record.with_suffix(".new")
        said = {"folder": folder.name, "size": size, "prefixes": interpreter.prefixes, "python": interpreter.executable}
        fresh.write_text(json.dumps(said))
        fresh.rename(record)

    def _kept(self) -> list[Kept]:
        found = (_read(path) for path in self._folder.glob("*.json"))
        return [kept for kept in found if kept is not None]

    def _evict(self) -> None:
        """Let the longest unused go until the rest fits. The lock is held."""
        kept = sorted(self._kept(), key=lambda one: one.used_at)
        total = sum(one.size for one in kept)
        for one in kept:
            if total <= self._budget:
                return
            if not self._is_used(one.folder):
                one.record.unlink(missing_ok=True)
                _remove(one.folder)
                total -= one.size
                log.info("environment_dropped", folder=one.folder.name, size=one.size)

    def _is_used(self, folder: Path) -> bool:
        """Whether a box runs in it, or is about to."""
        return any(_executable_of(path).startswith(f"{folder}/") for path in self._boxes.glob(f"*/{INTERPRETER}"))


class Turn:
    """One at a time; whoever has to wait is told why, and may be stopped while it waits."""

    def __init__(self, lock: threading.Lock, tell: Tell, cancellation: Cancellation) -> None:
        self._lock = lock
        self._tell = tell
        self._cancellation = cancellation

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self._tell("Waiting for the same packages, which another session installs")
            while not self._lock.acquire(timeout=LOOK_EVERY):
                self._cancellation.check()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class Paced:
    """Tells at most one thing in TELL_EVERY seconds: each is a request to the server."""

    def __init__(self, tell: Tell, clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._next = 0.0

    def __call__(self, text: str) -> None:
        now = self._clock()
        if now >= self._next:
            self._next = now + TELL_EVERY
            self._tell(text)


def name_of(wanted: Environment, python: Description) -> str:
    """Under which name an environment is kept: a Python that was changed since has others."""
    own = python.interpreter.executable
    facts = [wanted.key, sorted(wanted.requirements), own, python.version, times_of(python.sites)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]


def _read(record: Path) -> Kept | None:
    """The environment of a record; None where it is not whole."""
    try:
        said = json.loads(record.read_text())
        folder = record.parent / said["folder"]
        used_at = record.stat().st_mtime
        interpreter = Interpreter(said["python"], tuple(said["prefixes"]))
    except (OSError, ValueError, KeyError):
        return None
    return Kept(record, folder, interpreter, said["size"], used_at) if folder.is_dir() else None


def _executable_of(path: Path) -> str:
    try:
        return dict(read_fields(str(path)))["executable"]
    except (OSError, KeyError):
        return ""


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
