"""The real transport: http.client, the quickest HTTP client of all to import."""

from __future__ import annotations

import contextlib
import http.client
import importlib
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

from nsmlctl.errors import BadUsage, CutOff, ServerAway
from nsmlctl.transport import Request, Response

TIMEOUT = 60.0  # seconds of silence; longer than any answer the server holds back (20 s)
BLOCK = 256 * 1024  # bytes read and sent at once


class HttpTransport:
    """One kept-alive connection for each thread."""

    def __init__(self, server: str, timeout: float = TIMEOUT) -> None:
        url = urlsplit(server)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise BadUsage(f"'{server}' is not the address of a platform.", "Write it like http://host:8080.")
        self._server, self._timeout, self._prefix = server, timeout, url.path.rstrip("/")
        self._secure, self._host, self._port = url.scheme == "https", url.hostname, _port_of(server)
        if self._secure and not hasattr(http.client, "HTTPSConnection"):
            importlib.reload(http.client)  # it was imported without TLS, see `nsmlctl.workplace.connect`
        self._local = threading.local()
        self._open: set[http.client.HTTPConnection] = set()

    def send(self, request: Request) -> Response:
        """See Transport."""
        connection = self._connection()
        body = request.body if isinstance(request.body, bytes) else request.body()
        try:
            # A server that hangs up in the middle of a body may have said why: that answer is worth more than the break.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(request.method, self._prefix + request.path, body, dict(request.headers))
            answer = connection.getresponse()
        except (http.client.HTTPException, OSError) as error:
            self._drop()
            raise CutOff(f"The connection to {self._server} broke ({_reason(error)}).") from error
        except (
            BaseException
        ):  # Ctrl-C, or a body that cannot be read any more: the connection is in the middle of something
            self._drop()
            raise
        finally:
            if not isinstance(body, bytes):
                body.close()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Response(answer.status, headers, self._chunks(answer))

    def close(self) -> None:
        """Lets go of every thread's connection; a later request opens a new one."""
        while self._open:
            self._open.pop().close()

    def _connection(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            connection = kind(self._host, self._port, timeout=self._timeout, blocksize=BLOCK)
            self._local.connection = connection
            self._open.add(connection)
        if connection.sock is None:
            try:
                connection.connect()
            except OSError as error:
                raise ServerAway(f"No platform answers at {self._server} ({_reason(error)}).") from error
        return connection

    def _drop(self) -> None:
        connection = self._local.__dict__.pop("connection", None)
        if connection is not None:
            self._open.discard(connection)
            connection.close()

    def _chunks(self, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        whole = False
        try:
            while chunk := answer.read1(BLOCK):
                yield chunk
            # read1 takes the end of the connection for the end of the body; the length told says whether it was.
            if answer.length:
                raise http.client.IncompleteRead(b"", answer.length)
            answer.close()  # the answer, not the connection: that is free for the next request now
            whole = True
        except (http.client.HTTPException, OSError) as error:
            raise CutOff(f"The connection to {self._server} broke ({_reason(error)}).") from error
        finally:
            if not whole:
                self._drop()


def _port_of(server: str) -> int | None:
    try:
        return urlsplit(server).port
    except ValueError as error:
        raise BadUsage(f"'{server}' is not the address of a platform: {error}.") from error


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it was silent for too long"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    return "it ended before the answer was complete"
