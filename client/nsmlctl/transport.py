"""How requests travel: one method, so that tests need no network and no patching."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, NamedTuple, Protocol

# A body is bytes, or opened anew for each attempt so that a file of any size may be sent twice.
Body = bytes | Callable[[], BinaryIO]


class Request(NamedTuple):
    """`path` starts with '/' and holds the query. A body that is not bytes needs Content-Length in `headers`."""

    method: str
    path: str
    headers: Mapping[str, str] = {}
    body: Body = b""


class Response(NamedTuple):
    """Names of headers are in lower case. `chunks` gives the body as it arrives and may raise CutOff between two of them."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]

    def read(self) -> bytes:
        """The whole body."""
        return b"".join(self.chunks)


class Transport(Protocol):
    """Carries one request to one server."""

    def send(self, request: Request) -> Response:
        """Raises ServerAway when the request certainly did not arrive, CutOff when it may have."""
        ...


class MemoryTransport:
    """For tests: `answer` plays the server, `requests` is what was sent."""

    def __init__(self, answer: Callable[[Request], Response]) -> None:
        self._answer = answer
        self.requests: list[Request] = []

    def send(self, request: Request) -> Response:
        """See Transport."""
        self.requests.append(request)
        return self._answer(request)
