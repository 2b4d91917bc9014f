"""From trees to folders, by way of a cache of blobs on the node."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol

import structlog
from blake3 import blake3

from nsml_worker import packs
from nsml_worker.contract import FileEntry, Tree
from nsml_worker.errors import BlobMismatch, UnsafePath
from nsml_worker.server_api import RunApi

DISK_SHARE = 5  # without a budget a cache may take one such part of its disk
LOW_WATER = 0.9  # of the budget is left, so that not every blob that comes has another one go

log = structlog.get_logger()


class Blobs(Protocol):
    """Blobs by hash, as files that are never written to again."""

    def path(self, entry: FileEntry) -> Path:
        """Where the bytes of a file are. They are there."""


class BlobCache:
    """A folder of blobs that outlives boxes. Only the worker's user can look into it. Any thread may call it.

    A blob that is laid out somewhere has a second name there, and stays. Of the others the longest unused go when there are too
    many; when a blob was used last, its time of access says.
    """

    def __init__(self, folder: Path, budget: int | None = None) -> None:
        """`budget`: bytes of disk; None for a part of what the disk has. What an earlier worker left unfinished goes."""
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._budget = shutil.disk_usage(folder).total // DISK_SHARE if budget is None else budget
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()  # hashes of blobs that are about to be laid out
        self._size: int | None = None  # bytes; None before the first look
        for unfinished in folder.glob("*/.*"):
            unfinished.unlink(missing_ok=True)

    def path(self, entry: FileEntry) -> Path:
        """Where a blob is, or would be."""
        if not entry.hash.isalnum():
            raise UnsafePath(f"The hash of {entry.path!r} is not one; the server sent a broken tree.")
        return self._folder / entry.hash[:2] / entry.hash

    @contextlib.contextmanager
    def holding(self, trees: Iterable[Tree]) -> Iterator[list[FileEntry]]:
        """`missing`, with the promise that what is here, or comes, stays until it was laid out."""
        trees = tuple(trees)
        held = Counter({entry.hash for tree in trees for entry in tree.files})
        with self._lock:
            self._held += held
        try:
            yield self.missing(trees)
        finally:
            with self._lock:
                self._held -= held
                try:
                    self._evict()
                except OSError:  # whoever holds blobs has them
                    log.exception("blobs_not_dropped")

    def missing(self, trees: Iterable[Tree]) -> list[FileEntry]:
        """One entry for each blob that is not here. A blob of another size was cut off by a crash and counts as missing."""
        wanted = {entry.hash: entry for tree in trees for entry in tree.files}
        return [entry for entry in wanted.values() if _touch(self.path(entry)) != entry.size]

    def fetch(self, api: RunApi, entries: list[FileEntry]) -> None:
        """Get blobs from the server.

        Raises:
            BlobMismatch: the bytes are not what their hash says.
        """
        batches, singles = packs.split(entries)
        by_hash = {entry.hash: entry for entry in entries}
        for batch in batches:
            for name, data in packs.decode(api.fetch_pack([entry.hash for entry in batch])):
                if name in by_hash:
                    self._keep(by_hash[name], [data])
        for entry in singles:
            self._keep(entry, api.fetch_blob(entry.hash))

    def _keep(self, entry: FileEntry, chunks: Iterable[bytes]) -> None:
        path = self.path(entry)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        temporary = path.with_name(f".{secrets.token_hex(8)}")
        digest = blake3()
        try:
            with temporary.open("xb") as file:
                for chunk in chunks:
                    digest.update(chunk)
                    file.write(chunk)
            if digest.hexdigest() != entry.hash:
                raise BlobMismatch(
                    f"The server sent other bytes for {entry.path!r}; ask the operator to check its storage."
                )
            temporary.chmod(0o444)
            temporary.rename(path)
        finally:
            temporary.unlink(missing_ok=True)
        with self._lock:
            self._size = None if self._size is None else self._size + entry.size

    def _evict(self) -> None:
        """Let the longest unused go when the budget is passed. The lock is held."""
        if self._size is not None and self._size <= self._budget:
            return
        found = [(path, path.stat()) for path in self._folder.glob("*/[!.]*")]
        self._size = sum(stat.st_size for _, stat in found)
        if self._size <= self._budget:
            return
        before = self._size
        for path, stat in sorted(found, key=lambda one: one[1].st_atime_ns):
            if self._size <= self._budget * LOW_WATER:
                break
            if stat.st_nlink == 1 and path.name not in self._held:
                path.unlink(missing_ok=True)
                self._size -= stat.st_size
        log.info("blobs_dropped", size=before - self._size, kept=self._size)


def lay_out(tree: Tree, folder: Path, blobs: Blobs, *, writable: bool = False, uid: int | None = None) -> None:
    """Make `folder` hold the files of `tree`. A writable one is a copy that belongs to `uid`; the other shares its bytes
    with the cache and belongs to the worker.

    Raises:
        UnsafePath: a path leaves the folder, or is both a file and a folder.
    """
    made: set[PurePosixPath] = set()
    owner = uid if writable else None
    _make_folder(folder, PurePosixPath(), made, owner)
    for entry in tree.files:
        path = check_path(entry.path)
        try:
            _make_folder(folder, path.parent, made, owner)
            _place(entry, blobs.path(entry), folder / path, writable, owner)
        except (FileExistsError, NotADirectoryError) as error:
            raise UnsafePath(f"The path {entry.path!r} is there twice; the server sent a broken tree.") from error


def check_path(text: str) -> PurePosixPath:
    """A relative path that stays where it is put."""
    path = PurePosixPath(text)
    if not path.parts or "\0" in text or path.is_absolute() or ".." in path.parts or str(path) != text:
        raise UnsafePath(f"The path {text!r} leaves its folder; the server sent a broken tree.")
    return path


def _make_folder(root: Path, relative: PurePosixPath, made: set[PurePosixPath], owner: int | None) -> None:
    if relative in made:
        return
    if relative.parts:
        _make_folder(root, relative.parent, made, owner)
    folder = root / relative
    folder.mkdir(exist_ok=not relative.parts, parents=not relative.parts)
    folder.chmod(0o755)
    if owner is not None:
        os.chown(folder, owner, owner)
    made.add(relative)


def _place(entry: FileEntry, source: Path, target: Path, writable: bool, owner: int | None) -> None:
    if not writable and not entry.mode & 0o111 and _link(source, target):
        return
    shutil.copyfile(source, target)
    target.chmod(entry.mode & 0o755 | 0o600 if writable else entry.mode & 0o555 | 0o444)
    if owner is not None:
        os.chown(target, owner, owner)


def _link(source: Path, target: Path) -> bool:
    """A second name for the same bytes; not everywhere possible."""
    try:
        target.hardlink_to(source)
    except FileExistsError:
        raise
    except OSError:
        return False
    return True


def _touch(path: Path) -> int:
    """A blob's size, -1 when it is not here; and it counts as used now."""
    try:
        stat = path.stat()
        os.utime(path, ns=(time.time_ns(), stat.st_mtime_ns))
    except FileNotFoundError:
        return -1
    return stat.st_size
