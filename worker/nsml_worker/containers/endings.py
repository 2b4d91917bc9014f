"""Sees every box to its end: limits its time, asks it to end, and writes down how it ended.

What was asked of a box lies in its folder, so that whoever is the worker by then goes on where this one was.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import docker.errors
import requests
import structlog

from nsml_worker import untrusted
from nsml_worker.box import DISK, EXIT, PLAN, Box, BoxId, find_boxes, open_box
from nsml_worker.box_keeper import find_want
from nsml_worker.containers import disk as disks
from nsml_worker.containers.end import Asked, Facts, Note, State, judge, parse_time, read_note, read_state
from nsml_worker.containers.engine import Engine, explain
from nsml_worker.containers.events import Events
from nsml_worker.contract import EndReason
from nsml_worker.deadlines import Deadlines
from nsml_worker.errors import BoxFailed, BoxUnreadable, EngineFailed
from nsml_worker.fields import read_fields, write_fields
from nsml_worker.process_tree import measure_folder

ASKED = "asked"  # in a box's folder: what was asked of it
NOTE, REACHED = "end", "started"  # in its log's folder: what the keeper noted
MAX_NOTE = 4096  # bytes
AGAIN = 5.0  # seconds until a box that the engine would not say anything about is asked for again
DISK_LOOK = 2.0  # seconds between two walks through what a program wrote, where the kernel does not count for us

log = structlog.get_logger()


class Endings:
    """Of the boxes in one folder. Every method may be called by any thread."""

    def __init__(self, boxes: Path, engine: Engine, name_of: Callable[[BoxId], str], grace: float, disk: int) -> None:
        """`name_of`: a box's container; `grace`: seconds from asking to killing; `disk`: bytes of a box without a disk of its own."""
        self._boxes = boxes
        self._engine = engine
        self._name_of = name_of
        self._grace = grace
        self._disk = disk
        self._lock = threading.RLock()
        self._timed: set[BoxId] = set()
        self._held: set[BoxId] = set()
        self._ended_early: set[BoxId] = set()
        self._deadlines = Deadlines("box deadlines")
        self._walks: Deadlines | None = None  # these take long, so that they have a thread of their own
        self._events = Events(engine, self._conclude, self._look)
        self._events.start()

    def close(self) -> None:
        """Stop following; the boxes go on."""
        self._events.close()
        self._deadlines.close()
        if self._walks is not None:
            self._walks.close()

    def hold(self, box: Box) -> None:
        """It is being started or removed: until `release` its end is not looked for."""
        with self._lock:
            self._held.add(box.id)

    def release(self, box: Box) -> None:
        """An end that came meanwhile is written down now."""
        with self._lock:
            self._held.discard(box.id)
            has_ended = box.id in self._ended_early
            self._ended_early.discard(box.id)
        if has_ended:
            self._conclude(box.id)

    def started(self, box: Box) -> None:
        """It was started now: its time runs."""
        self._limit_time(box, time.time())

    def ask(self, box: Box, cause: EndReason, at_once: bool) -> None:
        """Ask a box to end, and make it after the grace; or end it now. What ends it first is what counts."""
        with self._lock:
            if not box.was_launched or box.has_ended:
                return
            if not (box.folder / ASKED).exists():
                write_fields(str(box.folder / ASKED), [("cause", cause.value), ("at", repr(time.time()))])
        self._send(box.id, "SIGKILL" if at_once else "SIGTERM")
        if not at_once:
            self._deadlines.add(self._grace, lambda: self._send(box.id, "SIGKILL"))

    def restore(self, box: Box) -> None:
        """Have what a box has written be there again, where the machine was restarted meanwhile.

        Raises:
            EngineFailed: the engine does not say whether the box goes on.
        """
        with self._lock:
            inspected = self._engine.inspect(self._name_of(box.id))
            if not ((inspected or {}).get("State") or {}).get("Running"):
                mount_again(box)

    def _limit_time(self, box: Box, since: float) -> None:
        """Have it ended when its time is over. `since`: unix seconds."""
        with self._lock:
            if box.id in self._timed:
                return
            self._timed.add(box.id)
        if box.spec.limits.wall_clock is not None:
            left = since + box.spec.limits.wall_clock - time.time()
            self._deadlines.add(left, lambda: self.ask(box, EndReason.WALL_CLOCK, at_once=False))
        if not (box.folder / DISK).is_mount():
            self._measure(box)
        asked = read_asked(box.folder)
        if asked is not None:
            self._deadlines.add(asked.at + self._grace - time.time(), lambda: self._send(box.id, "SIGKILL"))

    def _measure(self, box: Box) -> None:
        """End a box that has written too much, and look again after a while."""
        with self._lock:
            if box.id not in self._timed:
                return
            self._walks = self._walks or Deadlines("box disks")
        if measure_folder(str(box.room)) > self._room_of(box):
            self.ask(box, EndReason.DISK_FULL, at_once=True)
        self._walks.add(DISK_LOOK, lambda: self._measure(box))

    def _send(self, box: BoxId, signal: str) -> None:
        """A box that has ended gets none; an engine that is away takes its boxes with it."""
        folder = self._boxes / str(box)
        if (folder / EXIT).exists() or not (folder / PLAN).exists():
            return
        try:
            self._engine.api.kill(self._name_of(box), signal)
        except docker.errors.APIError as error:
            log.info("signal_not_taken", box=str(box), signal=signal, said=explain(error))
            self._conclude(box)
        except (docker.errors.DockerException, requests.RequestException, OSError) as error:
            log.warning("engine_away", box=str(box), signal=signal, said=explain(error))

    def _look(self) -> None:
        """Find out about every box that has not ended as far as we know."""
        for box in find_boxes(self._boxes).boxes:
            if box.was_launched and not box.has_ended:
                self._conclude(box.id)

    def _conclude(self, box_id: BoxId) -> None:
        """If its container has ended, write down how."""
        try:
            box = open_box(self._boxes / str(box_id))
        except BoxUnreadable as error:
            log.error("box_unreadable", box=str(box_id), said=str(error))
            self._deadlines.add(AGAIN, lambda: self._conclude(box_id))
            return
        with self._lock:
            if box_id in self._held:
                self._ended_early.add(box_id)
                return
            if box is None or not box.was_launched or box.has_ended:
                return
            try:
                inspected = self._engine.inspect(self._name_of(box_id))
            except EngineFailed as error:
                log.warning("engine_away", box=str(box_id), said=str(error))
                self._deadlines.add(AGAIN, lambda: self._conclude(box_id))
                return
            state = (inspected or {}).get("State") or {}
            if state.get("Running"):
                self._limit_time(box, parse_time(state.get("StartedAt", "")))
                return
            self._timed.discard(box_id)
            mount_again(box)
            write_fields(str(box.folder / EXIT), judge(self._gather(box, read_state(inspected))))

    def _gather(self, box: Box, state: State | None) -> Facts:
        note = find_note(box)
        disk = box.folder / DISK
        if state is not None and not note.reached:
            log.warning("program_not_reached", box=str(box.id), exit_code=state.exit_code)
        return Facts(
            state=state,
            asked=read_asked(box.folder),
            note=note,
            want=find_want(str(disk)) if disk.is_mount() else "",
            seen=state is not None and self._events.since <= state.finished_at and self._engine.answers(),
            limits=box.spec.limits,
            disk=self._room_of(box),
        )

    def _room_of(self, box: Box) -> int:
        """Bytes it may write."""
        return box.spec.limits.disk or disks.size_of(box.folder) or self._disk


def mount_again(box: Box) -> None:
    """The disk of a box of which the container has ended; what the program has left is still to be sent."""
    disk = box.folder / DISK
    if (box.folder / disks.IMAGE).exists() and not disk.is_mount():
        try:
            disks.mount_again(box.folder)
        except BoxFailed as error:
            log.warning("disk_lost", box=str(box.id), said=str(error))


def read_asked(folder: Path) -> Asked | None:
    """What was asked of a box, by this worker or by one before it."""
    try:
        facts = dict(read_fields(str(folder / ASKED)))
    except FileNotFoundError:
        return None
    return Asked(EndReason(facts["cause"]), float(facts["at"]))


def find_note(box: Box) -> Note:
    """What the keeper noted; whoever wrote it, no link is followed and little is read."""
    return read_note(dict(_read_untrusted(box, NOTE)), reached=_is_file(box, REACHED))


def _read_untrusted(box: Box, name: str) -> list[tuple[str, str]]:
    try:
        fd = untrusted.open_path(box.keep, name)
    except OSError:
        return []
    try:
        lines = os.pread(fd, MAX_NOTE, 0).decode("utf-8", "replace").splitlines()
    finally:
        os.close(fd)
    return [(name, value) for name, _, value in (line.partition(" ") for line in lines)]


def _is_file(box: Box, name: str) -> bool:
    try:
        os.close(untrusted.open_path(box.keep, name))
    except OSError:
        return False
    return True
