"""The port behind which boxes are made, and its fake."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from nsml_worker.box import EXIT, LOG, PLAN, STARTED, Box, BoxId, find_boxes
from nsml_worker.contract import Capacity, EndReason, RunSpec
from nsml_worker.fields import write_fields
from nsml_worker.gauge import Spent
from nsml_worker.materialise import Blobs, lay_out
from nsml_worker.streaming import Watch
from nsml_worker.version import VERSION

# Takes one line on what a preparation is doing.
Tell = Callable[[str], None]


def keep_quiet(_: str) -> None:
    """The Tell of those who need not know."""


class Runner(Protocol):
    """Makes boxes. A box is a folder for the worker, and whatever the runner adds for the program.

    The verbs are called in this order, each once: prepare, start, watch, clean; stop at any moment in between and as often
    as one likes. After a restart of the worker, `reattach` finds the boxes and watch goes on.
    """

    @property
    def name(self) -> str:
        """What the node tells people it runs boxes with."""

    @property
    def confinement(self) -> str:
        """How boxes are sealed. "none": only for people you trust."""

    @property
    def images(self) -> tuple[str, ...]:
        """The images a spec may name here."""

    @property
    def holds(self) -> tuple[str, ...]:
        """Docker references and keys of environments that are here: who asks for one of them starts sooner here."""

    def prepare(self, box: Box, blobs: Blobs, tell: Tell = keep_quiet) -> None:
        """Lay out what the spec mounts in the box's folder. May be repeated as long as nothing was started.

        `tell` is given what takes time.

        Raises:
            RunFailed: it cannot be made; the class says whose fault that is.
        """

    def start(self, box: Box) -> None:
        """Start the program; returns when it was reached.

        Raises:
            RunFailed: it was not, and `detail` says why.
        """

    def name_fetched(self, box: Box) -> str:
        """The folder `box.fetched` as the program names it."""

    def watch(self, box: Box) -> Watch:
        """Follow a box that was started, by this worker or by one before it."""

    def measure(self, box: Box) -> Spent | None:
        """What a box uses now; None when it does not run, or that cannot be known. May be slow, and may raise RunFailed."""

    def stop(self, box: Box, at_once: bool = False) -> None:
        """Ask the program to end, and make it after a grace; or end it now. Does nothing when it has ended."""

    def clean(self, box: Box) -> None:
        """Remove what is left of a box. Its program must have ended."""

    def find(self, spec: RunSpec, token: str) -> Box:
        """The box of a spec, made or not."""

    def reattach(self) -> list[Box]:
        """The boxes an earlier worker left here."""

    def close(self) -> None:
        """The worker leaves: what is being prepared is given up, with Leaving for whoever waits for it; boxes go on."""


# A program of the MemoryRunner: gets its box and a function that writes output, returns an exit code.
Program = Callable[[Box, Callable[[bytes], object], threading.Event], int]


class MemoryRunner:
    """A runner without processes: a program is a function, named by the entry, and runs in a thread.

    Folders, journal and log are real, because those are what the rest of the worker reads.
    """

    name = "memory"
    confinement = "none"
    images = ("default",)
    holds: tuple[str, ...] = ()

    def __init__(self, boxes: Path, programs: dict[str, Program]) -> None:
        self._boxes = boxes
        self._programs = programs
        self._stops: dict[BoxId, threading.Event] = {}
        self.spent = Spent(1, 0.0)

    def find(self, spec: RunSpec, token: str) -> Box:
        """See Runner."""
        return Box(self._boxes / str(BoxId(spec.run_id, spec.attempt)), spec, token)

    def prepare(self, box: Box, blobs: Blobs, tell: Tell = keep_quiet) -> None:
        """See Runner."""
        box.empty()
        for folder in (box.app, box.home / "out", box.home / "checkpoints", box.scratch, box.fetched):
            folder.mkdir(parents=True)
        for mount in box.spec.mounts:
            folder = box.app if mount.target == "/app" else box.folder / "views" / mount.target.lstrip("/")
            lay_out(mount.tree, folder, blobs, writable=mount.writable)

    def start(self, box: Box) -> None:
        """See Runner."""
        write_fields(str(box.folder / PLAN), [])
        (box.folder / LOG).touch()
        write_fields(str(box.folder / STARTED), [("at", str(time.time()))])
        self._stops[box.id] = threading.Event()
        threading.Thread(target=self._run, args=(box,), name=f"program {box.id}", daemon=True).start()

    def name_fetched(self, box: Box) -> str:
        """See Runner."""
        return str(box.fetched)

    def watch(self, box: Box) -> Watch:
        """See Runner."""
        return Watch(box, supervisor=None, is_alive=lambda: box.id in self._stops)

    def measure(self, box: Box) -> Spent | None:
        """See Runner. A function uses what the test says."""
        return self.spent if box.id in self._stops and not box.has_ended else None

    def stop(self, box: Box, at_once: bool = False) -> None:
        """See Runner. A function cannot be killed: it is asked, and the answer is the same either way."""
        if box.id in self._stops:
            self._stops[box.id].set()

    def clean(self, box: Box) -> None:
        """See Runner."""
        box.remove()

    def reattach(self) -> list[Box]:
        """See Runner."""
        return list(find_boxes(self._boxes).boxes) if self._boxes.exists() else []

    def close(self) -> None:
        """See Runner. Nothing here takes long."""

    def _run(self, box: Box) -> None:
        stop = self._stops[box.id]
        begin = time.monotonic()
        entry = next(word for word in box.spec.argv[1:] if not word.startswith("-"))
        with (box.folder / LOG).open("ab", buffering=0) as log:
            status = self._programs[entry](box, log.write, stop)
        facts = {
            "status": str(status),
            "cause": EndReason.STOPPED.value if stop.is_set() else "",
            "detail": "",
            "wall_seconds": str(time.monotonic() - begin),
            "cpu_seconds": "0",
            "peak_memory": "0",
        }
        write_fields(str(box.folder / EXIT), facts.items())
        del self._stops[box.id]


def describe_node(runner: Runner, measured: Capacity) -> Capacity:
    """What the node offers through this runner."""
    said = dataclasses.replace(measured, runner=runner.name, confinement=runner.confinement)
    return dataclasses.replace(said, images=runner.images, holds=runner.holds, version=VERSION)
