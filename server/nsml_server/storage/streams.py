"""Streams: what a run writes, appended at an offset. The same bytes sent twice land once."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import threading
from pathlib import Path
from typing import Protocol

from nsml_server.errors import Invalid, StreamGap

_NAME = re.compile(r"[a-z]{1,32}", re.ASCII)


class StreamStore(Protocol):
    """Append-only byte strings, each named by a run and a word ("log", "events")."""

    def append(self, run_id: int, name: str, offset: int, data: bytes) -> int:
        """Adds `data`, whose first byte belongs at `offset`, and returns the new size; what is there already is skipped.

        Raises:
            StreamGap: `offset` is beyond the end; nothing was written.
            Invalid: `offset` is negative.
        """

    def read(self, run_id: int, name: str, offset: int, limit: int) -> bytes:
        """Up to `limit` bytes from `offset` on; empty at or beyond the end, and for a stream never written."""

    def size(self, run_id: int, name: str) -> int:
        """Bytes it holds; 0 for a stream never written."""

    def settle(self, run_id: int) -> None:
        """Returns when all that was appended for the run would survive a loss of power."""

    def remove(self, run_id: int) -> None:
        """Forgets all streams of the run; harmless when there are none."""


class FolderStreamStore:
    """One folder a run, one file a stream. Writers of other processes are kept apart by a lock on the file."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)

    def append(self, run_id: int, name: str, offset: int, data: bytes) -> int:
        """See StreamStore."""
        path = self._path(run_id, name)
        path.parent.mkdir(exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            fresh = _fresh(name, os.fstat(descriptor).st_size, offset, data)
            # After a short write (a full disk) the size tells the sender where to go on.
            while fresh:
                fresh = fresh[os.write(descriptor, fresh) :]
            return os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)

    def read(self, run_id: int, name: str, offset: int, limit: int) -> bytes:
        """See StreamStore."""
        try:
            with self._path(run_id, name).open("rb", buffering=0) as file:
                return os.pread(file.fileno(), max(0, limit), max(0, offset))
        except FileNotFoundError:
            return b""

    def size(self, run_id: int, name: str) -> int:
        """See StreamStore."""
        try:
            return self._path(run_id, name).stat().st_size
        except FileNotFoundError:
            return 0

    def settle(self, run_id: int) -> None:
        """See StreamStore."""
        folder = self._root / str(int(run_id))
        if folder.is_dir():
            for path in [*folder.iterdir(), folder, self._root]:
                _sync(path)

    def remove(self, run_id: int) -> None:
        """See StreamStore."""
        shutil.rmtree(self._root / str(int(run_id)), ignore_errors=True)

    def _path(self, run_id: int, name: str) -> Path:
        return self._root / str(int(run_id)) / _checked(name)


class MemoryStreamStore:
    """Streams that live as long as the process."""

    def __init__(self) -> None:
        self._streams: dict[tuple[int, str], bytearray] = {}
        self._lock = threading.Lock()

    def append(self, run_id: int, name: str, offset: int, data: bytes) -> int:
        """See StreamStore."""
        with self._lock:
            stream = self._streams.setdefault((run_id, _checked(name)), bytearray())
            stream += _fresh(name, len(stream), offset, data)
            return len(stream)

    def read(self, run_id: int, name: str, offset: int, limit: int) -> bytes:
        """See StreamStore."""
        stream = self._streams.get((run_id, _checked(name)), b"")
        return bytes(stream[max(0, offset) :][: max(0, limit)])

    def size(self, run_id: int, name: str) -> int:
        """See StreamStore."""
        return len(self._streams.get((run_id, _checked(name)), b""))

    def settle(self, run_id: int) -> None:
        """See StreamStore: memory survives nothing, so there is nothing to wait for."""

    def remove(self, run_id: int) -> None:
        """See StreamStore."""
        with self._lock:
            for key in [key for key in self._streams if key[0] == run_id]:
                del self._streams[key]


def _fresh(name: str, size: int, offset: int, data: bytes) -> memoryview:
    """The part of `data` that is not in a stream of `size` bytes."""
    if offset < 0:
        raise Invalid(f"A stream has no byte {offset}.", hint="Send an offset from 0 on.")
    if offset > size:
        raise StreamGap(name, offset, size)
    return memoryview(data)[size - offset :]


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise Invalid("That is not the name of a stream.", hint="A run has the streams log and events.")
    return name


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
