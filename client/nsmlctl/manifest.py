"""A folder by value: which files go up, and the hash of each."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from nsmlctl.errors import CannotUpload

if TYPE_CHECKING:
    import pathspec

    from nsmlctl.hashes import HashCache

BLOCK = 1024 * 1024  # bytes hashed at once
MAX_DEPTH = 64  # folders within folders; deeper is an accident, or a mount that contains itself
IGNORE_HINT = "Add it to .nsmlignore to leave it out, or remove it."
# Letters that make a name look like another one: they turn the direction of writing.
BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True)
class FoundFile:
    """A file to upload as `path`; `source` is where its bytes are, with no link left in it."""

    path: str
    source: Path
    status: os.stat_result


@dataclass(frozen=True)
class ManifestEntry:
    """One file of a manifest. `hash` is BLAKE3 in hex."""

    path: str
    size: int
    hash: str
    mode: int
    source: Path


@dataclass(frozen=True)
class Manifest:
    """Sorted by path."""

    entries: tuple[ManifestEntry, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.entries)

    def has(self, path: str) -> bool:
        """Whether a file of this path goes up."""
        return any(entry.path == path for entry in self.entries)

    def below(self, folder: str) -> Manifest:
        """The same files, as if they lay in this folder."""
        return Manifest(tuple(replace(entry, path=f"{folder}/{entry.path}") for entry in self.entries))

    def to_tree(self) -> dict[str, Any]:
        """As the API takes it."""
        return {"files": [{"path": e.path, "size": e.size, "hash": e.hash, "mode": e.mode} for e in self.entries]}


def walk(folder: Path, rules: pathspec.GitIgnoreSpec) -> Iterator[FoundFile]:
    """The files below `folder` that the rules do not leave out; ignored folders are not entered.

    Raises:
        CannotUpload: something is neither a file nor a folder, leads out of the folder, cannot be read, or has an odd name.
    """
    root = folder.resolve()
    yield from _walk(root, root, "", rules)


def _walk(root: Path, folder: Path, prefix: str, rules: pathspec.GitIgnoreSpec) -> Iterator[FoundFile]:
    if prefix.count("/") > MAX_DEPTH:
        raise CannotUpload(f"'{prefix}' lies more than {MAX_DEPTH} folders deep.", IGNORE_HINT)
    try:
        with os.scandir(folder) as found:
            children = sorted(found, key=lambda child: child.name)
    except OSError as error:
        raise CannotUpload(f"'{prefix or folder}' cannot be read: {error.strerror}.", IGNORE_HINT) from error
    for child in children:
        path = prefix + child.name
        is_folder = child.is_dir(follow_symlinks=False)
        if rules.match_file(path + "/" if is_folder else path):
            continue
        check_name(path)
        if is_folder:
            yield from _walk(root, Path(child.path), path + "/", rules)
        else:
            yield _found_file(root, Path(child.path), path)


def _found_file(root: Path, source: Path, path: str) -> FoundFile:
    """A link is read through when it leads to a file inside the folder, and refused otherwise."""
    try:
        status = source.lstat()
        if stat.S_ISLNK(status.st_mode):
            source = source.resolve(strict=True)
            if not source.is_relative_to(root):
                raise CannotUpload(f"'{path}' is a link that leads out of the folder.", IGNORE_HINT)
            status = source.lstat()
            if stat.S_ISDIR(status.st_mode):
                raise CannotUpload(f"'{path}' is a link to a folder.", IGNORE_HINT)
    except OSError as error:
        raise CannotUpload(f"'{path}' cannot be read: {error.strerror}.", IGNORE_HINT) from error
    except RuntimeError as error:  # a link that leads to itself
        raise CannotUpload(f"'{path}' is a link that leads nowhere.", IGNORE_HINT) from error
    if not stat.S_ISREG(status.st_mode):
        raise CannotUpload(f"'{path}' is not a file but {_kind_of(status.st_mode)}.", IGNORE_HINT)
    return FoundFile(path, source, status)


def check_name(path: str) -> None:
    """Raises CannotUpload when the last part of `path` is a name that not every machine can hold or show."""
    name = path.rpartition("/")[2]
    try:
        length = len(name.encode())
    except UnicodeEncodeError as error:
        raise CannotUpload(f"The file name {path!r} is not UTF-8.", "Rename it, or add it to .nsmlignore.") from error
    odd = next((c for c in name if ord(c) < 32 or 127 <= ord(c) < 160 or c in BIDI or c == "\\"), None)
    if odd is not None:
        raise CannotUpload(f"The file name {path!a} holds {odd!a}.", "Rename it, or add it to .nsmlignore.")
    if length > 255:
        raise CannotUpload(
            f"The file name '{path[:60]}…' is longer than 255 bytes.", "Rename it, or add it to .nsmlignore."
        )


def hash_files(found: Iterable[FoundFile], cache: HashCache) -> Manifest:
    """Reads only what changed since the cache saw it.

    Raises:
        CannotUpload: a file cannot be read.
    """
    entries = []
    for file in found:
        digest = cache.get(file.path, file.status)
        if digest is None:
            digest = hash_of(file)
            cache.put(file.path, file.status, digest)
        mode = stat.S_IMODE(file.status.st_mode) & 0o777
        entries.append(ManifestEntry(file.path, file.status.st_size, digest, mode, file.source))
    return Manifest(tuple(sorted(entries, key=lambda entry: entry.path)))


def hash_of(file: FoundFile) -> str:
    """Raises CannotUpload when the file cannot be read, or is not the one that was found."""
    from blake3 import blake3

    hasher = blake3()
    with open_source(file.source, file.path) as stream:
        if os.fstat(stream.fileno()).st_ino != file.status.st_ino:
            raise changed(file.path)
        while block := stream.read(BLOCK):
            hasher.update(block)
    return hasher.hexdigest()


def open_source(source: Path, path: str) -> BinaryIO:
    """Opens a file without following a link that has taken its place, nor waiting for a pipe that has."""
    try:
        handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise CannotUpload(f"'{path}' cannot be read: {error.strerror}.", IGNORE_HINT) from error
    stream = os.fdopen(handle, "rb")
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        stream.close()
        raise changed(path)
    return stream


def changed(path: str) -> CannotUpload:
    """A file became another one between two looks at it."""
    return CannotUpload(
        f"'{path}' changed while it was being uploaded.", "Run the command again once nothing writes to it."
    )


def _kind_of(mode: int) -> str:
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    return kinds.get(stat.S_IFMT(mode), "something special")
