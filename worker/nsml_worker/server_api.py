"""Talking to the server: the port, and HTTP behind it.

Every call waits until the server answers: while it is away, calls are tried again with growing pauses, and what is to be told
waits on the node's disk. Only `stop` (the worker leaves, or the box is given up) ends the waiting.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Protocol

import httpx2

from nsml_worker.box import BoxId
from nsml_worker.calls import Calls
from nsml_worker.contract import Capacity, Environment, RunEvent, RunSpec, Tree, Use

TIMEOUT = httpx2.Timeout(30.0, connect=5.0)


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

    def find_checkpoint(self, session: str | None, name: str) -> Tree:
        """The files of a checkpoint of the run's user; from then on their blobs may be fetched. None: of its own session.

        Raises:
            ServerRefused: there is none.
        """

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

    def heartbeat(
        self, boxes: list[BoxId], use: Mapping[BoxId, Use] | None = None, capacity: Capacity | None = None
    ) -> dict[str, Any]:
        """{"stop": [[run, attempt, why], …], "drop": [[run, attempt], …]}. Raises ServerAway: it is not tried again.

        `use`: what boxes use now; `capacity`: only when it has changed.
        """

    def fetch_questions(self, wait: float) -> list[dict[str, Any]]:
        """What people ask of the programs here: [{"id", "run", "attempt", "asked"}, …]. The server may hold its answer back
        for `wait` seconds. Raises ServerAway: it is not tried again.
        """

    def answer_question(self, number: int, said: dict[str, Any]) -> None:
        """Bring an answer, {"answer": …} or {"fault": …}."""

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
        self._calls = Calls(self._client, token, stop)

    def hello(self, capacity: Capacity, boxes: list[BoxId]) -> dict[str, Any]:
        """See NodeApi."""
        body = {"capacity": capacity.to_dict(), "boxes": _pairs(boxes)}
        return self._calls.post(f"{self._path}/hello", json=body)

    def heartbeat(
        self, boxes: list[BoxId], use: Mapping[BoxId, Use] | None = None, capacity: Capacity | None = None
    ) -> dict[str, Any]:
        """See NodeApi."""
        body: dict[str, Any] = {"boxes": _pairs(boxes)}
        body["use"] = {str(box.run_id): used.to_dict() for box, used in (use or {}).items()}
        if capacity is not None:
            body["capacity"] = capacity.to_dict()
        return self._calls.once("POST", f"{self._path}/heartbeat", json=body)

    def fetch_questions(self, wait: float) -> list[dict[str, Any]]:
        """See NodeApi."""
        return list(self._calls.once("GET", f"{self._path}/questions", params={"wait": wait})["questions"])

    def answer_question(self, number: int, said: dict[str, Any]) -> None:
        """See NodeApi."""
        self._calls.post(f"{self._path}/questions/{number}", json=said)

    def fetch_wanted(self) -> list[Environment]:
        """What this node may make ready while nobody waits, the likeliest first. Raises ServerAway: it is not tried again."""
        answer = self._calls.once("GET", f"{self._path}/wanted")
        return [Environment.from_dict(one) for one in answer["environments"]]

    def goodbye(self) -> None:
        """See NodeApi."""
        self._calls.once("POST", f"{self._path}/goodbye", json={})

    def of_run(self, run_id: int, token: str, stop: threading.Event) -> RunApi:
        """See NodeApi."""
        return HttpRun(Calls(self._client, token, stop), run_id)

    def close(self) -> None:
        """See NodeApi."""
        self._client.close()


class HttpRun:
    """RunApi over HTTP."""

    def __init__(self, calls: Calls, run_id: int) -> None:
        self._calls = calls
        self._path = f"/runs/{run_id}"

    def claim(self) -> RunSpec:
        """See RunApi."""
        return RunSpec.from_dict(self._calls.post(f"{self._path}/claim", json={}))

    def fetch_blob(self, name: str) -> Iterator[bytes]:
        """See RunApi. A transfer that breaks off begins anew with the next call of the run."""
        yield from self._calls.stream(f"{self._path}/blobs/{name}")

    def fetch_pack(self, names: list[str]) -> bytes:
        """See RunApi."""
        return self._calls.fetch(f"{self._path}/blobs/fetch", {"hashes": names})

    def find_missing(self, names: list[str]) -> set[str]:
        """See RunApi."""
        return set(self._calls.post(f"{self._path}/blobs/missing", json={"hashes": names})["missing"])

    def put_blob(self, name: str, content: BinaryIO, size: int) -> None:
        """See RunApi."""
        self._calls.put(f"{self._path}/blobs/{name}", content, size)

    def put_pack(self, pack: bytes) -> None:
        """See RunApi."""
        self._calls.post(f"{self._path}/packs", content=pack)

    def find_checkpoint(self, session: str | None, name: str) -> Tree:
        """See RunApi."""
        params = {"name": name} if session is None else {"name": name, "session": session}
        return Tree.from_dict(self._calls.get(f"{self._path}/checkpoint", params=params))

    def append(self, stream: str, offset: int, data: bytes) -> int:
        """See RunApi."""
        answer = self._calls.post(f"{self._path}/streams/{stream}", params={"offset": offset}, content=data)
        return int(answer["size"])

    def tell(self, attempt: int, events: list[RunEvent]) -> int:
        """See RunApi."""
        body = {"attempt": attempt, "events": [event.to_dict() for event in events]}
        return int(self._calls.post(f"{self._path}/events", json=body)["accepted"])


def _pairs(boxes: list[BoxId]) -> list[list[int]]:
    return [[box.run_id, box.attempt] for box in boxes]
