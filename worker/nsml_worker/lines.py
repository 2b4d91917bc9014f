"""One JSON object a line over a Unix socket in a box's HOME. Whoever is at the other end is not trusted.

A program may put anything where a socket should be: what is connected to is opened first without following a link, and is a
socket of the box's own user. A path longer than the kernel takes for a socket is reached by way of a descriptor.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import time
from typing import Any

from nsml_worker import untrusted
from nsml_worker.box import Box
from nsml_worker.plain_json import read_plain

_CHUNK = 65536
_WAITING = 128  # connections: all processes of a program may ask at the same moment
_PLACE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def listen(box: Box, name: str) -> socket.socket:
    """A listening socket HOME/name that the box's program may connect to. It takes the place of one that was left behind in
    one step: a program that looks for it finds the one or the other.

    Raises:
        OSError: HOME takes no socket there.
    """
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    coming = f".{name}"
    try:
        with untrusted.open_folder(box.home) as folder:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(coming, dir_fd=folder)
            server.bind(f"/proc/self/fd/{folder}/{coming}")
            _give(folder, coming, box.app.stat().st_uid)
            server.listen(_WAITING)
            os.rename(coming, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        server.close()
        raise
    return server


def connect(box: Box, name: str, seconds: float) -> socket.socket:
    """A connection to the socket HOME/name that the box's program listens at.

    Raises:
        OSError: there is none, it is no socket of the program's, or nobody listens.
    """
    with untrusted.open_folder(box.home) as folder:
        place = os.open(name, _PLACE, dir_fd=folder)
    try:
        found = os.fstat(place)
        if not stat.S_ISSOCK(found.st_mode) or found.st_uid != box.app.stat().st_uid:
            raise untrusted.NotPlain(f"{name} is not a socket of the program's")
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(seconds)
            connection.connect(f"/proc/self/fd/{place}")
        except BaseException:
            connection.close()
            raise
        return connection
    finally:
        os.close(place)


def read_line(connection: socket.socket, limit: int, seconds: float) -> dict[str, Any]:
    """One object.

    Raises:
        TimeoutError: its line was not whole after so many seconds, however slowly it came.
        ValueError: it is longer than `limit` bytes, or no JSON object that can be told further.
        OSError: the other side left.
    """
    data, end = bytearray(), time.monotonic() + seconds
    while not data.endswith(b"\n"):
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the line did not end in time")
        connection.settimeout(left)
        piece = connection.recv(_CHUNK)
        data += piece
        if len(data) > limit:
            raise ValueError(f"the line is longer than {limit:,} bytes")
        if not piece:
            raise ConnectionError("the other side left before the line ended")
    value = read_plain(data)
    if not isinstance(value, dict):
        raise ValueError("the line holds no object")
    return value


def write_line(connection: socket.socket, value: dict[str, Any], seconds: float) -> None:
    """One object. Raises OSError when it is not taken within so many seconds."""
    connection.settimeout(seconds)
    connection.sendall(json.dumps(value).encode() + b"\n")


def _give(folder: int, name: str, uid: int) -> None:
    """Let the box's user connect. As root the folder is sticky: nobody can have put something else in the socket's place."""
    if uid != os.geteuid():
        os.chown(name, -1, uid, dir_fd=folder, follow_symlinks=False)
        os.chmod(name, 0o660, dir_fd=folder)
