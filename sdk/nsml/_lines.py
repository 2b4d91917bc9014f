"""One JSON object a line over a Unix socket in HOME: how the program, the worker and a person's console talk."""

import json
import os
import socket
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

_MAX_ADDRESS = 100  # characters of a socket's path that every kernel takes
_CHUNK = 65536
_PAUSE = 0.2  # seconds between two tries to reach whoever does not listen
_LOSSES = 3  # times a question that was taken may be left without an answer; then it is the question


def listen(folder: str, name: str) -> "Optional[socket.socket]":
    """A listening socket `folder/name`, or None when a process that lives has it already.

    Raises:
        OSError: the folder takes no socket.
    """
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _Address(folder, name) as address:
            if _is_answered(address):
                server.close()
                return None
            try:
                os.unlink(address)  # left behind by a process that is gone
            except FileNotFoundError:
                pass
            server.bind(address)
        server.listen(8)
    except BaseException:
        server.close()
        raise
    return server


def ask(
    folder: str, name: str, question: "Dict[str, Any]", limit: int, seconds: float, absence: float
) -> "Optional[Dict[str, Any]]":
    """The answer to one question, or None when nobody answers in time or makes sense.

    A worker that is started anew leaves its socket behind, and its questions without an answer: the question is asked again
    until somebody listens, for `absence` seconds.
    """
    line = json.dumps(question).encode("utf-8") + b"\n"
    until = None  # type: Optional[float]
    losses = 0
    while True:
        try:
            answer = json.loads(_ask_once(folder, name, line, limit, seconds).decode("utf-8"))
            return answer if isinstance(answer, dict) else None
        except (ConnectionRefusedError, BlockingIOError):
            pass  # nobody listens, or too many ask at the same moment
        except ConnectionError:
            losses += 1
        except (OSError, ValueError):
            return None
        until = until or time.monotonic() + absence
        if losses == _LOSSES or time.monotonic() > until or not _is_socket(os.path.join(folder, name)):
            return None
        time.sleep(_PAUSE)


def read_line(connection: "socket.socket", limit: int) -> bytes:
    """What comes before the first newline.

    Raises:
        ValueError: there is none within `limit` bytes.
        OSError: the other side left, or was silent for too long.
    """
    data = b""
    while b"\n" not in data:
        piece = connection.recv(_CHUNK)
        data += piece
        if not piece:
            raise ConnectionAbortedError("the other side left before the line ended")
        if len(data) > limit:
            raise ValueError("no whole line within {} bytes".format(limit))
    return data.split(b"\n", 1)[0]


def _ask_once(folder: str, name: str, line: bytes, limit: int, seconds: float) -> bytes:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        with _Address(folder, name) as address:
            connection.connect(address)
        connection.sendall(line)
        return read_line(connection, limit)
    finally:
        connection.close()


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False


def _is_answered(address: str) -> bool:
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        probe.connect(address)
    except OSError:
        return False
    finally:
        probe.close()
    return True


class _Address:
    """The path of a socket, by way of a descriptor of its folder where the real path is too long for the kernel."""

    def __init__(self, folder: str, name: str) -> None:
        self._folder = folder
        self._name = name
        self._descriptor = -1

    def __enter__(self) -> str:
        plain = os.path.join(self._folder, self._name)
        if len(os.fsencode(plain)) <= _MAX_ADDRESS:
            return plain
        self._descriptor = os.open(self._folder, os.O_RDONLY)
        return "/proc/self/fd/{}/{}".format(self._descriptor, self._name)

    def __exit__(self, *_: "Any") -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
