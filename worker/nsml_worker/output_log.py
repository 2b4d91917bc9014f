"""A program's output on disk, as its supervisor keeps it. Standard library only."""

from __future__ import annotations

import os

FULL = b"\n[nsml] The output limit of %d bytes is reached; the rest is dropped.\n"
HOLE = b"\n[nsml] Output is missing here: it could not be written to the node's disk.\n"


class Log:
    """The program's output on disk, up to a cap. What comes after is dropped, and the log says so; also where some is missing
    because the node's disk was full.
    """

    def __init__(self, path: str, cap: int) -> None:
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.cap = cap
        self.room = cap
        self.is_full = False
        self.has_hole = False

    def write(self, data: bytes) -> None:
        """Append what there is room for."""
        if self.has_hole:
            data = HOLE + data
        kept = data[: self.room]
        self.room -= len(kept)
        try:
            write_whole(self.fd, kept)
            self.has_hole = False
            if len(kept) < len(data) and not self.is_full:
                self.is_full = True
                write_whole(self.fd, FULL % self.cap)
        except OSError:
            self.has_hole = True

    def close(self) -> None:
        """Nothing comes any more."""
        os.close(self.fd)


def write_whole(fd: int, data: bytes) -> None:
    """os.write, to the last byte."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
