"""One attempt of one run: prepare → start → watch → collect → clean."""

from __future__ import annotations

import contextlib
import os
import posixpath
import threading
import time
from typing import Any

import structlog

from nsml import _contract as sdk
from nsml_worker import untrusted
from nsml_worker.box import EVENTS, Box, Exit
from nsml_worker.checkpoints import CheckpointSender
from nsml_worker.contract import Collected, Ended, EndReason, EventKind, FileEntry, Output, RunKind, RunSpec, Tree
from nsml_worker.errors import AttemptOver, EntryMissing, Leaving, OutputMissing, OutputTooLarge, RunFailed
from nsml_worker.event_log import EventLog
from nsml_worker.journal import JournalReader
from nsml_worker.materialise import BlobCache
from nsml_worker.products import collect_products
from nsml_worker.questions import answering
from nsml_worker.runner import Runner
from nsml_worker.server_api import RunApi
from nsml_worker.streaming import Watch, journal_sender, log_sender
from nsml_worker.uploads import hash_file, upload

BRIEF = 0.3  # seconds
SCORE_PROGRAM = "@score"  # in argv: the program of this package, which needs no uploaded code

log = structlog.get_logger()


class Run:
    """Carries one box from wherever it is to its end. One thread calls `go`; others may call `stop`, `abandon` and `leave`."""

    def __init__(self, box: Box, runner: Runner, api: RunApi, cache: BlobCache, halt: threading.Event) -> None:
        """`halt` is the event on which `api` gives up waiting for the server."""
        self.box = box
        self._runner = runner
        self._api = api
        self._cache = cache
        self._halt = halt
        self._events = EventLog(box.folder / EVENTS, box.spec.attempt, api)
        self._stopping = threading.Event()
        self._abandoned = False
        self._watching = threading.Lock()
        self._watch: Watch | None = None
        self._error: dict[str, Any] | None = None

    def go(self) -> None:
        """Everything that is left to do. Returns with the box gone, or left to another worker.

        What it raises (the server refuses the end, the disk is full, the engine is away) has left the box as it was: it may be
        called again.
        """
        try:
            self._finish()
        except Leaving:
            if not self._abandoned:
                log.info("box_left", box=str(self.box.id))
                return
            self._kill()
        except AttemptOver as error:
            log.info("attempt_over", box=str(self.box.id), said=str(error))
            self._kill()
        self._runner.clean(self.box)

    def stop(self) -> None:
        """End the program as the server asked. Whatever it has written so far is kept. May be repeated."""
        self._stopping.set()
        self._runner.stop(self.box)

    def abandon(self) -> None:
        """The attempt no longer counts: kill it and tell nobody."""
        self._abandoned = True
        self._runner.stop(self.box, at_once=True)
        self.leave()

    def leave(self) -> None:
        """Stop following; the box goes on."""
        self._halt.set()
        with self._watching:
            if self._watch is not None:
                self._watch.wake()

    def _finish(self) -> None:
        """Bring the box to its end and tell it. What was told stays on disk until the server has it."""
        if self._abandoned:
            raise Leaving("The attempt was given up.")
        if not self._events.has(EventKind.ENDED):
            self._events.note(EventKind.ENDED, self._find_end().to_dict())
        self._events.tell()

    def _find_end(self) -> Ended:
        """How it ended; when that is our fault, so it says."""
        try:
            if not self.box.was_launched:
                self._prepare()
                if self._stopping.is_set():
                    return Ended(EndReason.STOPPED)
            with answering(self.box, self._runner.name_fetched(self.box), self._api, self._cache):
                return self._carry_out()
        except (AttemptOver, Leaving):
            raise
        except RunFailed as error:
            return Ended(error.reason, detail=str(error), error=self._error)
        except Exception as error:
            log.exception("node_error", box=str(self.box.id))
            self._kill()
            return Ended(EndReason.NODE_ERROR, detail=f"The node failed: {error}")

    def _carry_out(self) -> Ended:
        """Start the program, where none was before us, and see it to its end."""
        if not self.box.was_launched:
            self._runner.start(self.box)
            if self._stopping.is_set():
                self._runner.stop(self.box)
        return self._conclude(self._follow())

    def _prepare(self) -> None:
        """Lay the box out, and say so when it takes a while."""
        spec = self.box.spec
        check_entry(spec)
        self._events.note(EventKind.PREPARING, {"text": "Preparing the box"})
        with self._cache.holding(mount.tree for mount in spec.mounts) as missing:
            if missing:
                size = sum(entry.size for entry in missing)
                self._events.tell(EventKind.PREPARING, {"text": f"Fetching code and data: {size:,} bytes"})
                self._cache.fetch(self._api, missing)
            self._runner.prepare(self.box, self._cache, self._tell_preparing)

    def _tell_preparing(self, text: str) -> None:
        self._events.tell(EventKind.PREPARING, {"text": text})

    def _follow(self) -> Exit:
        """Send what the box writes until it ends, and all of it."""
        watch = self._runner.watch(self.box)
        self._expose(watch)
        try:
            is_new = not self._events.has(EventKind.STARTED)
            if is_new:
                self._tell_started(watch)
            return self._pump(watch, is_new)
        finally:
            self._expose(None)
            watch.close()

    def _expose(self, watch: Watch | None) -> None:
        """What other threads may wake. Once it is taken back none of them holds it any more."""
        with self._watching:
            self._watch = watch

    def _tell_started(self, watch: Watch) -> None:
        """Most scorings are over in no time: their end then takes the news along."""
        self._events.note(EventKind.STARTED)
        until = time.monotonic() + (BRIEF if self.box.spec.kind is RunKind.SCORE else 0)
        while (end := watch.exit()) is None and (left := until - time.monotonic()) > 0:
            watch.wait(left)
        if end is None:
            self._events.tell()

    def _pump(self, watch: Watch, is_new: bool) -> Exit:
        senders = [make(self._api, watch, self.box, is_new=is_new) for make in (log_sender, journal_sender)]
        journal = JournalReader(watch)
        with CheckpointSender(self._api, self.box.home, self._events) as checkpoints:
            while True:
                end = watch.exit()  # before reading: when it has ended, what is read below is all
                for sender in senders:
                    sender.pump()
                for line in journal.read():
                    self._heed(line, checkpoints)
                if end is not None:
                    return end
                if self._halt.is_set():
                    raise Leaving("The worker leaves.")
                watch.wait()

    def _heed(self, line: dict[str, Any], checkpoints: CheckpointSender) -> None:
        """Act on a line of the journal."""
        kind = line[sdk.KIND]
        if kind == sdk.ERROR:
            self._error = line
        elif kind == sdk.SAVE and self.box.spec.keep_checkpoints:
            checkpoints.add(line)
        elif kind == sdk.PAUSED and not self._events.has(EventKind.PAUSED):
            self._events.tell(EventKind.PAUSED)

    def _conclude(self, end: Exit) -> Ended:
        """Collect what a training wrote, and the results of a program that ended well."""
        self._keep_files()
        outputs: tuple[Collected, ...] = ()
        reason, detail = end.reason, end.detail
        if reason is EndReason.EXITED:
            try:
                outputs = tuple(collect(self.box, output, self._api) for output in self.box.spec.outputs)
            except (OutputMissing, OutputTooLarge) as error:
                reason, detail = error.reason, str(error)
        return Ended(
            reason=reason,
            exit_code=end.exit_code,
            signal=end.signal,
            detail=detail,
            error=self._error,
            outputs=outputs,
            wall_seconds=end.wall_seconds,
            cpu_seconds=end.cpu_seconds,
            peak_memory=end.peak_memory,
        )

    def _keep_files(self) -> None:
        """Store what was written beside the code. Told with the end, and once: an earlier worker may have got that far."""
        spec = self.box.spec
        if spec.kind not in (RunKind.TRAIN, RunKind.FORK) or self._events.has(EventKind.FILES):
            return
        products = collect_products(self.box.app, code_of(spec), self._api)
        if products.files or products.left_out:
            self._events.note(EventKind.FILES, products.to_dict())

    def _kill(self) -> None:
        """End the program now, and return when it is gone."""
        if not self.box.was_launched:
            return
        self._runner.stop(self.box, at_once=True)
        with contextlib.closing(self._runner.watch(self.box)) as watch:
            while not watch.has_ended():
                watch.wait()


def check_entry(spec: RunSpec) -> None:
    """The file to run is part of the code.

    Raises:
        EntryMissing: it is not.
    """
    entry = find_entry(spec.argv)
    code = {file.path for file in code_of(spec).files}
    if entry is not None and posixpath.normpath(entry) not in code:
        raise EntryMissing(f"There is no file {entry!r} in the uploaded folder; name one with -e.")


def code_of(spec: RunSpec) -> Tree:
    """The uploaded folder; empty when none is mounted."""
    return next((mount.tree for mount in spec.mounts if mount.target == "/app"), Tree())


def find_entry(argv: tuple[str, ...]) -> str | None:
    """The program in a command line `python [-u …] FILE [ARGUMENT …]`; None when it is not a file of the uploaded code."""
    words = [word for word in argv[1:] if word != "-u"]
    if not words or words[0] == SCORE_PROGRAM or words[0].startswith("-"):
        return None
    return words[0]


def collect(box: Box, output: Output, api: RunApi) -> Collected:
    """Store a result file as a blob.

    Raises:
        OutputMissing: it is not there, or is not a plain file.
        OutputTooLarge: it is larger than the output allows.
    """
    try:
        fd = untrusted.open_path(box.home, f"{sdk.OUT}/{output.name}")
    except OSError as error:
        raise OutputMissing(f"The program ended without writing {output.name!r}: {error.strerror or error}.") from error
    try:
        size, digest = hash_file(fd, output.max_bytes)
        if size > output.max_bytes:
            raise OutputTooLarge(f"{output.name!r} is larger than the {output.max_bytes:,} bytes allowed.")
        upload(api, [FileEntry(output.name, size, digest)], lambda _: os.dup(fd))
    finally:
        os.close(fd)
    return Collected(output.name, size, digest)
