"""Requests to the server with one token: tried again while it is away, and its errors turned into ours.

What is no answer of the server's own comes from something between it and us: a proxy that has lost it, or answers in its place.
Then the server counts as away.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TypeVar

import httpx2
import structlog
import tenacity

from nsml_worker.errors import AttemptOver, Leaving, ServerAway, ServerRefused, StreamGap

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0  # seconds between two tries
TOLD_EVERY = 30  # tries: about a minute
CHUNK = 1 << 20
RETRIED = frozenset({408, 425, 429})
_OVER = frozenset({"attempt_over", "unauthenticated"})
_Answer = TypeVar("_Answer")

log = structlog.get_logger()


class Calls:
    """Requests with one token. The connection pool is shared. Every method may raise what check_answer raises, and Leaving."""

    def __init__(self, client: httpx2.Client, token: str, stop: threading.Event) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"}
        self._stop = stop
        self._retry = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(ServerAway),
            wait=tenacity.wait_exponential_jitter(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE, jitter=FIRST_PAUSE),
            sleep=tenacity.sleep_using_event(stop),
            stop=tenacity.stop_when_event_set(stop),
            before_sleep=_tell_waiting,
            reraise=True,
        )

    def once(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """The object that is the answer; one try."""
        with self._talking():
            answer = self._client.request(method, path, headers=self._headers, **request)
        check_answer(answer)
        return read_object(answer)

    def post(self, path: str, **request: Any) -> dict[str, Any]:
        """Try until there is an answer."""
        return self._persist(lambda: self.once("POST", path, **request))

    def get(self, path: str, **request: Any) -> dict[str, Any]:
        """Try until there is an answer."""
        return self._persist(lambda: self.once("GET", path, **request))

    def fetch(self, path: str, asked: dict[str, Any]) -> bytes:
        """Bytes that are asked for; tried until they are here."""

        def ask() -> bytes:
            with self._talking():
                answer = self._client.post(path, headers=self._headers, json=asked)
            check_answer(answer)
            return answer.content

        return self._persist(ask)

    def put(self, path: str, content: BinaryIO, size: int) -> None:
        """Send a file, from its start at each try. Raises OSError when it has become shorter than `size`."""
        headers = {**self._headers, "Content-Length": str(size)}

        def send() -> None:
            content.seek(0)
            with self._talking():
                answer = self._client.put(path, headers=headers, content=_read_chunks(content, size))
            check_answer(answer)
            read_object(answer)

        self._persist(send)

    def stream(self, path: str) -> Iterator[bytes]:
        """The bytes of an answer. A break begins anew where it was: bytes that were handed out are skipped."""
        done = 0
        while True:
            try:
                for chunk in self._stream_once(path, done):
                    done += len(chunk)
                    yield chunk
                return
            except ServerAway:
                if self._stop.wait(LONGEST_PAUSE):
                    raise Leaving("The worker leaves.") from None

    def _stream_once(self, path: str, skip: int) -> Iterator[bytes]:
        with self._talking(), self._client.stream("GET", path, headers=self._headers) as answer:
            if not answer.is_success:
                answer.read()
            check_answer(answer)
            for chunk in answer.iter_bytes(CHUNK):
                fresh = chunk[skip:]
                skip -= len(chunk) - len(fresh)
                if fresh:
                    yield fresh

    @contextlib.contextmanager
    def _talking(self) -> Iterator[None]:
        """Faults of the connection become ours."""
        try:
            yield
        except httpx2.RequestError as error:
            raise ServerAway(f"The server cannot be reached: {error}") from error
        except RuntimeError as error:  # from a pool that was closed while a thread still sent
            if self._stop.is_set():
                raise Leaving("The worker leaves.") from error
            raise

    def _persist(self, call: Callable[[], _Answer]) -> _Answer:
        try:
            return self._retry(call)
        except ServerAway as error:
            raise Leaving("The worker leaves.") from error


def check_answer(answer: httpx2.Response) -> None:
    """Turn an error answer into ours.

    Raises:
        ServerAway: worth another try, or not the server's own: it answers no text, and its errors have a code.
        AttemptOver: the run's token no longer counts.
        StreamGap: see RunApi.append.
        ServerRefused: anything else that is not a success.
    """
    is_text = answer.headers.get("Content-Type", "").startswith("text/")
    if answer.is_success and not is_text:
        return
    code, message, size = ("", "a text", None) if answer.is_success else read_error(answer.content)
    said = f"The server answered {answer.status_code} to {answer.request.url.path}: {message}"
    if not code or answer.is_server_error or answer.status_code in RETRIED:
        raise ServerAway(said)
    if code == "stream_gap" and size is not None:
        raise StreamGap(said, size)
    if code in _OVER:
        raise AttemptOver(said)
    raise ServerRefused(said)


def read_error(body: bytes) -> tuple[str, str, int | None]:
    """(code, message, size) of an error's body; without a code when it is not the server's."""
    try:
        data = json.loads(body)
        error = data["error"]
        size = data.get("size")
        return str(error.get("code", "")), str(error.get("message", "")), size if isinstance(size, int) else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "", body[:200].decode("utf-8", "replace"), None


def read_object(answer: httpx2.Response) -> dict[str, Any]:
    """The JSON object of an answer. Raises ServerAway when it is none: the server's own always is."""
    try:
        value = answer.json()
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ServerAway(f"What was answered to {answer.request.url.path} is not the server's: {answer.text[:200]!r}")
    return value


def _read_chunks(content: BinaryIO, size: int) -> Iterator[bytes]:
    """Exactly `size` bytes. What a file has grown by since it was measured stays out."""
    left = size
    while left:
        chunk = content.read(min(CHUNK, left))
        if not chunk:
            raise OSError(f"a file has become {left:,} bytes shorter while it was sent")
        left -= len(chunk)
        yield chunk


def _tell_waiting(tries: tenacity.RetryCallState) -> None:
    """A server that is away for long, or an address that is not its own, is to be seen in the log."""
    if tries.attempt_number % TOLD_EVERY == 1 and tries.outcome is not None:
        log.warning("server_away", said=str(tries.outcome.exception()), tries=tries.attempt_number)
