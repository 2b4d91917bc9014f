"""Uvicorn as both sizes use it: a socket bound ahead, so that the address is known, and followers sent home at the end."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from nsml_server.errors import AddressTaken
from nsml_server.services.platform import Platform

GRACE = 3  # seconds for answers under way at the end; followers are cut off at once


class Server(uvicorn.Server):
    """A server that tells its followers when it goes."""

    def __init__(self, app: FastAPI) -> None:
        # What goes wrong in a request we log ourselves; uvicorn would call each follower cut off an error.
        config = uvicorn.Config(
            app, log_level="critical", access_log=False, timeout_graceful_shutdown=GRACE, server_header=False
        )
        super().__init__(config)
        self._platform: Platform = app.state.platform

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are heeded by whoever runs us: uvicorn would raise them again after a clean end."""
        yield

    def leave(self) -> None:
        """Begin to end: no follower holds us up."""
        self.should_exit = True
        self._platform.notices.close()


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        AddressTaken: somebody listens there, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise AddressTaken(f"Cannot listen on {host} port {port}: {(error.strerror or str(error)).lower()}.") from error
    listener.set_inheritable(False)
    return listener


def address_of(listener: socket.socket, host: str) -> str:
    """The address people type: where all interfaces are listened on, this machine's own."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{name}:{listener.getsockname()[1]}"
