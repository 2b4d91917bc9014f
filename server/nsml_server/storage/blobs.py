"""Blobs: bytes named by their BLAKE3 hash, written once, checked while they arrive, seen whole or not at all."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Protocol

from blake3 import blake3

from nsml_server.domain.names import check_hash, is_hash
from nsml_server.errors import BlobMissing
from nsml_server.storage import packs
from nsml_server.storage.pack_index import PackIndex, Place
from nsml_server.storage.receivers import Checking, Keeping, Receiver, Writing, pour, sync_folder

# Seconds after which a half-written file belongs to an upload that is certainly dead.
ABANDONED = 24 * 3600.0


class BlobStore(Protocol):
    """Bytes by hash. A hash that can be asked for is whole, checked and on disk."""

    def receive(self, blob: str, *, max_bytes: int | None = None) -> Receiver:
        """Begins to take in a blob. Raises Invalid when `blob` is no hash."""

    def put(self, source: BinaryIO, blob: str, *, max_bytes: int | None = None) -> int:
        """Takes in all of `source` and returns its size; the bytes are checked even when they are here already.

        Raises:
            HashMismatch, TooLarge, Invalid: nothing was stored.
        """

    def put_pack(self, pack: bytes) -> list[tuple[str, int]]:
        """Takes in the files of a pack as one; returns (hash, size) of each. See packs.decode for what it raises."""

    def open(self, blob: str) -> BinaryIO:
        """The bytes, for the caller to close. Raises BlobMissing."""

    def has(self, blobs: Iterable[str]) -> set[str]:
        """Those of the hashes that are here."""

    def size(self, blob: str) -> int:
        """Bytes it has. Raises BlobMissing."""


class FolderBlobStore:
    """Blobs in a folder: large ones a file each, small ones as the packs in which they came.

    A thousand small files cost the disk one flush, not a thousand. The packs name their own files; the index beside them
    only makes finding quick, and what it misses after a loss of power is read from the packs at the next start.
    """

    def __init__(self, root: Path) -> None:
        self._whole, self._packs, self._arriving = root / "whole", root / "packs", root / "arriving"
        for folder in (self._whole, self._packs, self._arriving):
            folder.mkdir(parents=True, exist_ok=True)
        for number in range(256):
            (self._whole / f"{number:02x}").mkdir(exist_ok=True)
        sync_folder(self._whole)
        self._index = PackIndex(root / "packs.sqlite")
        self._list_forgotten_packs()
        self._remove_abandoned()

    def close(self) -> None:
        """Lets go of the index."""
        self._index.close()

    def receive(self, blob: str, *, max_bytes: int | None = None) -> Receiver:
        """See BlobStore."""
        target = self._path(check_hash(blob))
        if self.has([blob]):
            return Checking(blob, max_bytes)
        return Writing(blob, max_bytes, self._arriving, target)

    def put(self, source: BinaryIO, blob: str, *, max_bytes: int | None = None) -> int:
        """See BlobStore."""
        return pour(source, self.receive(blob, max_bytes=max_bytes))

    def put_pack(self, pack: bytes) -> list[tuple[str, int]]:
        """See BlobStore."""
        files = packs.decode(pack)
        here = self.has(name for name, _ in files)
        fresh = packs.encode([(name, data) for name, data in files if name not in here])
        if len(here) < len(files):
            name = blake3(fresh).hexdigest()
            with Writing(name, None, self._arriving, self._packs / name) as receiver:
                receiver.write(fresh)
                receiver.finish()
            self._index.add(name, packs.entries_of(fresh))
        return [(name, len(data)) for name, data in files]

    def open(self, blob: str) -> BinaryIO:
        """See BlobStore."""
        try:
            return self._path(check_hash(blob)).open("rb")
        except FileNotFoundError:
            return io.BytesIO(self._read_packed(self._find(blob)))

    def has(self, blobs: Iterable[str]) -> set[str]:
        """See BlobStore."""
        asked = {blob for blob in blobs if is_hash(blob)}
        packed = self._index.held(asked)
        return packed | {blob for blob in asked - packed if self._path(blob).exists()}

    def size(self, blob: str) -> int:
        """See BlobStore."""
        try:
            return self._path(check_hash(blob)).stat().st_size
        except FileNotFoundError:
            return self._find(blob).size

    def _path(self, blob: str) -> Path:
        return self._whole / blob[:2] / blob[2:]

    def _find(self, blob: str) -> Place:
        place = self._index.find(blob)
        if place is None:
            raise BlobMissing(blob)
        return place

    def _read_packed(self, place: Place) -> bytes:
        with (self._packs / place.pack).open("rb", buffering=0) as file:
            return os.pread(file.fileno(), place.size, place.offset)

    def _list_forgotten_packs(self) -> None:
        listed = self._index.packs()
        for path in self._packs.iterdir():
            if path.name not in listed:
                self._index.add(path.name, packs.entries_of(path.read_bytes()))

    def _remove_abandoned(self) -> None:
        # The clock of the disk is compared with our own: a day is long enough for the two to differ a little.
        oldest = time.time() - ABANDONED
        for path in self._arriving.iterdir():
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)


class MemoryBlobStore:
    """Blobs that live as long as the process."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def receive(self, blob: str, *, max_bytes: int | None = None) -> Receiver:
        """See BlobStore."""
        return Keeping(check_hash(blob), max_bytes, self._blobs)

    def put(self, source: BinaryIO, blob: str, *, max_bytes: int | None = None) -> int:
        """See BlobStore."""
        return pour(source, self.receive(blob, max_bytes=max_bytes))

    def put_pack(self, pack: bytes) -> list[tuple[str, int]]:
        """See BlobStore."""
        files = packs.decode(pack)
        with self._lock:
            self._blobs.update(files)
        return [(name, len(data)) for name, data in files]

    def open(self, blob: str) -> BinaryIO:
        """See BlobStore."""
        return io.BytesIO(self._get(blob))

    def has(self, blobs: Iterable[str]) -> set[str]:
        """See BlobStore."""
        return {blob for blob in blobs if blob in self._blobs}

    def size(self, blob: str) -> int:
        """See BlobStore."""
        return len(self._get(blob))

    def _get(self, blob: str) -> bytes:
        try:
            return self._blobs[check_hash(blob)]
        except KeyError:
            raise BlobMissing(blob) from None
