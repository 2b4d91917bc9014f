"""Opening what a program left behind. A path is walked component by component and no link is followed; only plain files open."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from collections.abc import Callable, Iterator, Set
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC  # non-blocking: it may be a FIFO
MAX_DEPTH = 32
MAX_ENTRIES = 20_000  # of one folder

# Takes a path and why it is left out.
LeaveOut = Callable[[str, str], None]


class NotPlain(OSError):
    """What lies there is neither a folder nor a regular file, or is reached through a link."""


@contextlib.contextmanager
def open_folder(root: Path, *names: str) -> Iterator[int]:
    """A descriptor of the folder `names` below `root`.

    Raises:
        OSError: it is not there, or a component is a link.
    """
    fd = os.open(root, _FOLDER)
    try:
        for name in names:
            child = os.open(_check_name(name), _FOLDER, dir_fd=fd)
            os.close(fd)
            fd = child
        yield fd
    finally:
        os.close(fd)


def open_file(folder: int, name: str) -> int:
    """A descriptor of a regular file in an open folder; the caller closes it.

    Raises:
        NotPlain: a link, FIFO, socket or device.
        OSError: it is not there, or may not be read.
    """
    fd = os.open(_check_name(name), _FILE, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise NotPlain(f"{name} is not a regular file")
    return fd


def open_path(root: Path, path: str) -> int:
    """open_file for a relative path with '/' below `root`."""
    *folders, name = path.split("/")
    with open_folder(root, *folders) as folder:
        return open_file(folder, name)


def walk(folder: int, limit: int) -> Iterator[str]:
    """The relative paths of all files below an open folder, sorted within each folder.

    Raises:
        NotPlain: something is not a plain file or folder, is named in no readable way, lies too deep, or there are more
            than `limit` of them.
    """
    for count, path in enumerate(_walk(folder, "", MAX_DEPTH)):
        if count >= limit:
            raise NotPlain(f"more than {limit} files")
        yield path


def survey(
    folder: int, leave_out: LeaveOut, skipped: Set[str] = frozenset(), prefix: str = "", depth: int = MAX_DEPTH
) -> Iterator[str]:
    """Like walk, but what is no plain file is given to `leave_out` with the reason, and the rest goes on.

    Args:
        skipped: names of folders that are passed over.
    """
    with os.scandir(folder) as entries:
        found = sorted(itertools.islice(entries, MAX_ENTRIES), key=lambda entry: entry.name)
    if len(found) == MAX_ENTRIES:
        leave_out(prefix, f"the folder has more than {MAX_ENTRIES:,} files")
    for entry in found:
        why = _find_fault(entry, depth)
        if why:
            leave_out(f"{prefix}{entry.name}".encode("utf-8", "backslashreplace").decode(), why)
        elif entry.is_file(follow_symlinks=False):
            yield prefix + entry.name
        elif entry.name not in skipped:
            yield from _survey_below(folder, entry.name, leave_out, skipped, prefix, depth)


def _survey_below(
    folder: int, name: str, leave_out: LeaveOut, skipped: Set[str], prefix: str, depth: int
) -> Iterator[str]:
    try:
        child = os.open(name, _FOLDER, dir_fd=folder)
    except OSError as error:
        leave_out(f"{prefix}{name}/", error.strerror or "it cannot be read")
        return
    try:
        yield from survey(child, leave_out, skipped, f"{prefix}{name}/", depth - 1)
    finally:
        os.close(child)


def _find_fault(entry: os.DirEntry[str], depth: int) -> str:
    try:
        _check_name(entry.name)
    except NotPlain as error:
        return str(error)
    if entry.is_symlink():
        return "it is a link"
    if entry.is_dir(follow_symlinks=False):
        return "" if depth > 1 else "it lies too deep"
    return "" if entry.is_file(follow_symlinks=False) else "it is not a plain file"


def _walk(folder: int, prefix: str, depth: int) -> Iterator[str]:
    if depth == 0:
        raise NotPlain(f"{prefix} lies too deep")
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        _check_name(entry.name)
        if entry.is_dir(follow_symlinks=False):
            child = os.open(entry.name, _FOLDER, dir_fd=folder)
            try:
                yield from _walk(child, f"{prefix}{entry.name}/", depth - 1)
            finally:
                os.close(child)
        elif entry.is_file(follow_symlinks=False):
            yield prefix + entry.name
        else:
            raise NotPlain(f"{prefix}{entry.name} is not a plain file")


def _check_name(name: str) -> str:
    """One component. Names that UTF-8 cannot hold are refused: they could not be told to anybody."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise NotPlain(f"the name {name!a} is not UTF-8") from None
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise NotPlain(f"the name {name!r} does not stay in its folder")
    return name
