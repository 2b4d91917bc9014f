"""Requests to the server with one token: tried again while it is away, and its errors turned into ours."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TypeVar

import httpx2
import tenacity

from nsml_worker.errors import AttemptOver, Leaving, ServerAway, ServerRefused, StreamGap

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0  # seconds between two tries
CHUNK = 1 << 20
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_Answer = TypeVar("_Answer")


class Calls:
    """Requests with one token. The connection pool is shared."""

    def __init__(self, client: httpx2.Client, token: str, stop: threading.Event) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"}
        self._stop = stop
        self._retry = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(ServerAway),
            wait=tenacity.wait_exponential_jitter(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE, jitter=FIRST_PAUSE),
            sleep=tenacity.sleep_using_event(stop),
            stop=tenacity.stop_when_event_set(stop),
            reraise=True,
        )

    def once(self, method: str, path: str, **request: Any) -> httpx2.Response:
        """One try."""
        try:
            answer = self._client.request(method, path, headers=self._headers, **request)
        except httpx2.TransportError as error:
            raise ServerAway(f"The server cannot be reached: {error}") from error
        check_answer(answer)
        return answer

    def post(self, path: str, **request: Any) -> httpx2.Response:
        """Try until there is an answer."""
        return self._persist(lambda: self.once("POST", path, **request))

    def get(self, path: str, **request: Any) -> httpx2.Response:
        """Try until there is an answer."""
        return self._persist(lambda: self.once("GET", path, **request))

    def put(self, path: str, content: BinaryIO, size: int) -> None:
        """Send a file, from its start at each try."""
        headers = {**self._headers, "Content-Length": str(size)}

        def send() -> None:
            content.seek(0)
            try:
                answer = self._client.put(path, headers=headers, content=_read_chunks(content, size))
            except httpx2.TransportError as error:
                raise ServerAway(f"The server cannot be reached: {error}") from error
            check_answer(answer)

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
        try:
            with self._client.stream("GET", path, headers=self._headers) as answer:
                if answer.is_error:
                    answer.read()
                check_answer(answer)
                for chunk in answer.iter_bytes(CHUNK):
                    fresh = chunk[skip:]
                    skip -= len(chunk) - len(fresh)
                    if fresh:
                        yield fresh
        except httpx2.TransportError as error:
            raise ServerAway(f"The server cannot be reached: {error}") from error

    def _persist(self, call: Callable[[], _Answer]) -> _Answer:
        try:
            return self._retry(call)
        except (ServerAway, RuntimeError) as error:  # the latter from a pool that was closed while a thread still sent
            if self._stop.is_set():
                raise Leaving("The worker leaves.") from error
            raise


def check_answer(answer: httpx2.Response) -> None:
    """Turn an error answer into ours.

    Raises:
        ServerAway: worth another try.
        AttemptOver: the run's token no longer counts.
        StreamGap: see RunApi.append.
        ServerRefused: anything else that is not a success.
    """
    if answer.is_success:
        return
    code, message, size = read_error(answer.content)
    said = f"The server answered {answer.status_code} to {answer.request.url.path}: {message}"
    if answer.status_code in RETRIED:
        raise ServerAway(said)
    if code == "stream_gap" and size is not None:
        raise StreamGap(said, size)
    if code == "attempt_over" or answer.status_code == httpx2.codes.UNAUTHORIZED:
        raise AttemptOver(said)
    raise ServerRefused(said)


def read_error(body: bytes) -> tuple[str, str, int | None]:
    """(code, message, size) of an error's body, whatever it is."""
    try:
        data = json.loads(body)
        error = data["error"]
        size = data.get("size")
        return str(error.get("code", "")), str(error.get("message", "")), size if isinstance(size, int) else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", body[:200].decode("utf-8", "replace"), None


def _read_chunks(content: BinaryIO, size: int) -> Iterator[bytes]:
    """Exactly `size` bytes: a file that grew or shrank since it was measured ends the transfer with a wrong hash."""
    left = size
    while left:
        chunk = content.read(min(CHUNK, left))
        left -= len(chunk)
        yield chunk or bytes(left)
        if not chunk:
            return


def read_object(answer: httpx2.Response) -> dict[str, Any]:
    """The JSON object of an answer. Raises ServerRefused when it is none."""
    value = answer.json()
    if not isinstance(value, dict):
        raise ServerRefused(f"The server answered {type(value).__name__} to {answer.request.url.path}, not an object.")
    return value
