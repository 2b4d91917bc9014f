"""Talking to the server: the port, and HTTP behind it.

Every call waits until the server answers: while it is away, calls are tried again with growing pauses, and what is to be told
waits on the node's disk. Only `stop` (the worker leaves, or the box is given up) ends the waiting.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Protocol, TypeVar

import httpx2
import tenacity

from nsml_worker.box import BoxId
from nsml_worker.contract import Capacity, RunEvent, RunSpec
from nsml_worker.errors import AttemptOver, Leaving, ServerAway, ServerRefused, StreamGap

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0  # seconds between two tries
TIMEOUT = httpx2.Timeout(30.0, connect=5.0)
CHUNK = 1 << 20
_Answer = TypeVar("_Answer")
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


class RunApi(Protocol):
    """What one attempt may say and ask. Every method may raise AttemptOver, ServerRefused, Leaving."""

    def claim(self) -> RunSpec:
        """What to run. Asking again answers the same."""

    def fetch_blob(self, name: str) -> Iterator[bytes]:
        """The bytes of one blob."""

    def fetch_pack(self, names: list[str]) -> bytes:
        """Several small blobs, framed as in packs."""

    def find_missing(self, names: list[str]) -> set[str]:
        """Those of the blobs the server does not have."""

    def put_blob(self, name: str, content: BinaryIO, size: int) -> None:
        """Store one blob; `content` is read from its start, again at each try."""

    def put_pack(self, pack: bytes) -> None:
        """Store several small blobs."""

    def append(self, stream: str, offset: int, data: bytes) -> int:
        """Append to `log` or `events`; the same bytes at the same offset land once. The stream's size afterwards.

        Raises:
            StreamGap: the server has less than `offset`.
        """

    def tell(self, attempt: int, events: list[RunEvent]) -> int:
        """Report facts; the highest `seq` the server has now."""


class NodeApi(Protocol):
    """What a node says and asks."""

    def hello(self, capacity: Capacity, boxes: list[BoxId]) -> dict[str, Any]:
        """{"heartbeat": seconds, "drop": [[run, attempt], …]}; waits for the server."""

    def heartbeat(self, boxes: list[BoxId]) -> dict[str, Any]:
        """{"stop": [[run, attempt, why], …], "drop": [[run, attempt], …]}. Raises ServerAway: it is not tried again."""

    def goodbye(self) -> None:
        """The worker leaves and its boxes go on. Raises ServerAway."""

    def of_run(self, run_id: int, token: str, stop: threading.Event) -> RunApi:
        """The same server for one attempt."""

    def close(self) -> None:
        """Nothing more is said."""


class HttpNode:
    """NodeApi over HTTP."""

    def __init__(self, url: str, node: str, token: str, stop: threading.Event) -> None:
        self._client = httpx2.Client(
            base_url=f"{url}/agent/v1", timeout=TIMEOUT, limits=httpx2.Limits(max_connections=None)
        )
        self._path = f"/nodes/{node}"
        self._calls = _Calls(self._client, token, stop)

    def hello(self, capacity: Capacity, boxes: list[BoxId]) -> dict[str, Any]:
        """See NodeApi."""
        body = {"capacity": capacity.to_dict(), "boxes": _pairs(boxes)}
        return _object(self._calls.post(f"{self._path}/hello", json=body))

    def heartbeat(self, boxes: list[BoxId]) -> dict[str, Any]:
        """See NodeApi."""
        return _object(self._calls.once("POST", f"{self._path}/heartbeat", json={"boxes": _pairs(boxes)}))

    def goodbye(self) -> None:
        """See NodeApi."""
        self._calls.once("POST", f"{self._path}/goodbye", json={})

    def of_run(self, run_id: int, token: str, stop: threading.Event) -> RunApi:
        """See NodeApi."""
        return HttpRun(_Calls(self._client, token, stop), run_id)

    def close(self) -> None:
        """See NodeApi."""
        self._client.close()


class HttpRun:
    """RunApi over HTTP."""

    def __init__(self, calls: _Calls, run_id: int) -> None:
        self._calls = calls
        self._path = f"/runs/{run_id}"

    def claim(self) -> RunSpec:
        """See RunApi."""
        return RunSpec.from_dict(_object(self._calls.post(f"{self._path}/claim", json={})))

    def fetch_blob(self, name: str) -> Iterator[bytes]:
        """See RunApi. A transfer that breaks off begins anew with the next call of the run."""
        yield from self._calls.stream(f"{self._path}/blobs/{name}")

    def fetch_pack(self, names: list[str]) -> bytes:
        """See RunApi."""
        return self._calls.post(f"{self._path}/blobs/fetch", json={"hashes": names}).content

    def find_missing(self, names: list[str]) -> set[str]:
        """See RunApi."""
        return set(_object(self._calls.post(f"{self._path}/blobs/missing", json={"hashes": names}))["missing"])

    def put_blob(self, name: str, content: BinaryIO, size: int) -> None:
        """See RunApi."""
        self._calls.put(f"{self._path}/blobs/{name}", content, size)

    def put_pack(self, pack: bytes) -> None:
        """See RunApi."""
        self._calls.post(f"{self._path}/packs", content=pack)

    def append(self, stream: str, offset: int, data: bytes) -> int:
        """See RunApi."""
        answer = self._calls.post(f"{self._path}/streams/{stream}", params={"offset": offset}, content=data)
        return int(_object(answer)["size"])

    def tell(self, attempt: int, events: list[RunEvent]) -> int:
        """See RunApi."""
        body = {"attempt": attempt, "events": [event.to_dict() for event in events]}
        return int(_object(self._calls.post(f"{self._path}/events", json=body))["accepted"])


class _Calls:
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
        except ServerAway as error:
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


def _object(answer: httpx2.Response) -> dict[str, Any]:
    value = answer.json()
    if not isinstance(value, dict):
        raise ServerRefused(f"The server answered {type(value).__name__} to {answer.request.url.path}, not an object.")
    return value


def _pairs(boxes: list[BoxId]) -> list[list[int]]:
    return [[box.run_id, box.attempt] for box in boxes]
