"""Following a box: its output and its journal, byte by byte, as they grow."""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Callable

import structlog
from inotify_simple import INotify, flags

from nsml import _contract as sdk
from nsml_worker import untrusted
from nsml_worker.box import LOG, Box, Exit
from nsml_worker.contract import EndReason
from nsml_worker.errors import StreamGap
from nsml_worker.server_api import RunApi

CHUNK = 1 << 20  # bytes in one request
MAX_JOURNAL = 1 << 30  # bytes; a program that writes more than this is not reporting, and the rest is not sent
MARKS = 4096  # bytes a log may have beyond its cap: what the box says about it
_SEEN = flags.MODIFY | flags.CREATE | flags.MOVED_TO

log = structlog.get_logger()


class Watch:
    """What happens in one box. `wait` sleeps until something may have; the rest looks."""

    def __init__(self, box: Box, supervisor: int | None, is_alive: Callable[[], bool]) -> None:
        """`supervisor` is a process id of which the end is noticed too; `is_alive` tells whether the box goes on.

        What the program wrote may be missing: the disk of a box that has ended need not be there any more.
        """
        self._box = box
        self._is_alive = is_alive
        self._files: dict[str, int] = {}
        self._poller = select.poll()
        with contextlib.ExitStack() as opened:
            self._inotify = opened.enter_context(contextlib.closing(INotify()))
            self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            opened.callback(os.close, self._wake)
            pidfd = _open_process(supervisor)
            if pidfd is not None:
                opened.callback(os.close, pidfd)
                self._poller.register(pidfd, select.POLLIN)
            self._poller.register(self._inotify.fileno(), select.POLLIN)
            self._poller.register(self._wake, select.POLLIN)
            for folder in {box.folder, box.home, box.keep}:
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    self._inotify.add_watch(folder, _SEEN | flags.ONLYDIR | flags.DONT_FOLLOW)
            self._opened = opened.pop_all()

    def wait(self, timeout: float | None = None) -> None:
        """Return when something changed, when woken, or after `timeout` seconds."""
        self._poller.poll(None if timeout is None else timeout * 1000)
        self._inotify.read(timeout=0)
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._wake)

    def wake(self) -> None:
        """End a wait of another thread."""
        os.eventfd_write(self._wake, 1)

    def read(self, name: str, position: int, limit: int) -> bytes:
        """Up to `limit` bytes of `log` or the journal from `position`; empty when there are none yet, or none to be trusted."""
        fd = self._files.get(name)
        if fd is None:
            try:
                fd = untrusted.open_path(self._box.keep if name == LOG else self._box.home, name)
            except OSError:
                return b""
            self._opened.callback(os.close, fd)
            self._files[name] = fd
        return os.pread(fd, limit, position)

    def exit(self) -> Exit | None:
        """How it ended, or None while it goes on."""
        alive = self._is_alive()  # before looking: the last thing a supervisor does is to write how it ended
        found = self._box.read_exit()
        if found is None and not alive:
            return Exit(cause=EndReason.BOX_LOST, detail="The box vanished while nobody looked.")
        return found

    def has_ended(self) -> bool:
        """Whether nothing of it goes on, even where nobody can tell how it ended."""
        alive = self._is_alive()
        return self._box.has_ended or not alive

    def close(self) -> None:
        """Let go of all descriptors."""
        self._opened.close()


class StreamSender:
    """Sends one growing file to the server, from where the server's copy ends."""

    def __init__(
        self,
        api: RunApi,
        watch: Watch,
        name: str,
        base: int,
        stream: str,
        cap: int | None = None,
        *,
        is_new: bool = False,
    ) -> None:
        """`is_new`: nothing of it was sent yet, which need not be asked."""
        self._api = api
        self._watch = watch
        self._name = name
        self._stream = stream
        self._base = base
        self._cap = cap
        self._position: int | None = 0 if is_new else None

    def pump(self) -> None:
        """Send what is there now. What is written meanwhile is for the next time, or this one would never end."""
        if self._position is None:
            self._position = self._find_position()
        while data := self._watch.read(self._name, self._position, self._room()):
            end = self._position + len(data)
            self._position = self._append(self._position, data)
            if self._position == end and len(data) < CHUNK:
                return

    def _find_position(self) -> int:
        return max(0, self._append(0, b""))

    def _append(self, position: int, data: bytes) -> int:
        try:
            return self._api.append(self._stream, self._base + position, data) - self._base
        except StreamGap as gap:  # the server lost its tail: go back to what it has
            if gap.size < self._base:
                raise
            log.warning("stream_gap", stream=self._stream, ours=self._base + position, theirs=gap.size)
            return gap.size - self._base

    def _room(self) -> int:
        if self._cap is None or self._position is None:
            return CHUNK
        return max(0, min(CHUNK, self._cap - self._position))


def log_sender(api: RunApi, watch: Watch, box: Box, *, is_new: bool = False) -> StreamSender:
    """For the program's output. Its length is capped where it is written; a box that writes its own log may pass over that."""
    return StreamSender(api, watch, LOG, box.spec.log_base, "log", box.spec.limits.log + MARKS, is_new=is_new)


def journal_sender(api: RunApi, watch: Watch, box: Box, *, is_new: bool = False) -> StreamSender:
    """For the journal, which the program writes by itself and as long as it likes."""
    return StreamSender(api, watch, sdk.JOURNAL, box.spec.events_base, "events", MAX_JOURNAL, is_new=is_new)


def _open_process(pid: int | None) -> int | None:
    if pid is None:
        return None
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None
