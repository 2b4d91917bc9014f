"""Blobs on their way in: hashed and counted while they arrive, visible only when whole."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from blake3 import blake3

from nsml_server.errors import HashMismatch, TooLarge

CHUNK = 2**20  # bytes read at a time


class Receiver(Protocol):
    """A blob on its way in, for callers who are handed the bytes piece by piece. Left without `finish`, nothing is kept."""

    def write(self, data: bytes) -> None:
        """Adds a piece. Raises TooLarge when it would go beyond the limit."""

    def finish(self) -> int:
        """Makes the blob visible and returns its size. Raises HashMismatch when the bytes are not those announced."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Checking:
    """Takes bytes in, hashes and counts them, and keeps nothing: for a blob that is here already."""

    def __init__(self, blob: str, max_bytes: int | None) -> None:
        self._blob, self._max_bytes = blob, max_bytes
        self._hasher, self._size = blake3(), 0

    def write(self, data: bytes) -> None:
        """See Receiver."""
        self._size += len(data)
        if self._max_bytes is not None and self._size > self._max_bytes:
            raise TooLarge(f"The file {self._blob[:12]}… is larger than {self._max_bytes:,} bytes.")
        self._hasher.update(data)
        self._store(data)

    def finish(self) -> int:
        """See Receiver."""
        actual = self._hasher.hexdigest()
        if actual != self._blob:
            raise HashMismatch(self._blob, actual)
        self._keep()
        return self._size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._drop()

    def _store(self, data: bytes) -> None:
        """Where a subclass puts a piece."""

    def _keep(self) -> None:
        """Where a subclass makes the whole visible."""

    def _drop(self) -> None:
        """Where a subclass removes what was not kept."""


class Keeping(Checking):
    """Into memory."""

    def __init__(self, blob: str, max_bytes: int | None, blobs: dict[str, bytes]) -> None:
        super().__init__(blob, max_bytes)
        self._blobs, self._data = blobs, bytearray()

    def _store(self, data: bytes) -> None:
        self._data += data

    def _keep(self) -> None:
        self._blobs[self._blob] = bytes(self._data)


class Writing(Checking):
    """Into a file of its own, which gets its name by one rename once it is on the disk."""

    def __init__(self, blob: str, max_bytes: int | None, arriving: Path, target: Path) -> None:
        super().__init__(blob, max_bytes)
        self._target = target
        self._temporary = arriving / f"{blob}.{secrets.token_hex(8)}"
        self._file = self._temporary.open("xb", buffering=0)

    def _store(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) or 0 :]

    def _keep(self) -> None:
        os.fsync(self._file.fileno())
        self._temporary.replace(self._target)
        sync_folder(self._target.parent)

    def _drop(self) -> None:
        self._file.close()
        self._temporary.unlink(missing_ok=True)


def pour(source: BinaryIO, receiver: Receiver) -> int:
    """All of `source` into the receiver; returns the blob's size."""
    with receiver:
        for chunk in iter(lambda: source.read(CHUNK), b""):
            receiver.write(chunk)
        return receiver.finish()


def sync_folder(folder: Path) -> None:
    """Returns when the folder's entries are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
