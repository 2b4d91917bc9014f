"""A server in memory, for tests: the rules a worker relies on, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

from blake3 import blake3

from nsml_worker import packs
from nsml_worker.box import BoxId
from nsml_worker.contract import Capacity, Ended, EventKind, RunEvent, RunSpec, Tree, Use
from nsml_worker.errors import AttemptOver, ServerRefused, StreamGap
from nsml_worker.server_api import RunApi

SECONDS = 180.0  # how long a test waits for something before it fails
MOST_FACTS = 1000  # in one request, as many as the real one takes
LONGEST_POLL = 0.2  # seconds an empty answer is held back


class MemoryServer:
    """NodeApi, and what it remembers."""

    def __init__(self) -> None:
        self.specs: dict[str, RunSpec] = {}  # by token
        self.blobs: dict[str, bytes] = {}
        self.streams: dict[tuple[int, str], bytearray] = {}
        self.events: dict[BoxId, list[RunEvent]] = {}
        self.stops: list[BoxId] = []
        self.drops: list[BoxId] = []
        self.is_node_removed = False
        self.hellos: list[list[BoxId]] = []
        self.farewells = 0
        self.is_parted = False
        self.afterthoughts = 0  # heartbeats after a goodbye: they would take it back
        self.capacity: Capacity | None = None  # as last told
        self.uses: dict[BoxId, Use] = {}
        self.checkpoints: dict[tuple[str | None, str], Tree] = {}  # by session and name
        self.questions: list[dict[str, Any]] = []
        self.answers: dict[int, dict[str, Any]] = {}
        self._changed = threading.Condition()

    def offer(self, spec: RunSpec, token: str) -> None:
        """Place an attempt: from now on its token counts."""
        self.specs[token] = spec

    def keep(self, data: bytes) -> str:
        """Store a blob; its name."""
        name = blake3(data).hexdigest()
        self.blobs[name] = data
        return name

    def hello(self, capacity: Capacity, boxes: list[BoxId]) -> dict[str, Any]:
        """See NodeApi."""
        if self.is_node_removed:
            self.notice()
            raise AttemptOver("This machine is no part of the platform any more.")
        self.hellos.append(boxes)
        self.is_parted = False
        self.capacity = capacity
        self.notice()
        return {"heartbeat": 0.05, "drop": _pairs(self.drops)}

    def heartbeat(
        self, boxes: list[BoxId], use: Mapping[BoxId, Use] | None = None, capacity: Capacity | None = None
    ) -> dict[str, Any]:
        """See NodeApi."""
        self.afterthoughts += self.is_parted
        if self.is_node_removed:
            self.notice()
            raise AttemptOver("This machine is no part of the platform any more.")
        self.uses |= use or {}
        if capacity is not None:
            self.capacity = capacity
        self.notice()
        return {"stop": [[*pair, "asked"] for pair in _pairs(self.stops)], "drop": _pairs(self.drops)}

    def ask(self, number: int, box: BoxId, asked: dict[str, Any]) -> None:
        """Put a question to a box."""
        self.questions.append({"id": number, "run": box.run_id, "attempt": box.attempt, "asked": asked})
        self.notice()

    def fetch_questions(self, wait: float) -> list[dict[str, Any]]:
        """See NodeApi."""
        with self._changed:
            self._changed.wait_for(lambda: self.questions, min(wait, LONGEST_POLL))
            taken, self.questions = self.questions, []
        return taken

    def answer_question(self, number: int, said: dict[str, Any]) -> None:
        """See NodeApi."""
        self.answers[number] = said
        self.notice()

    def goodbye(self) -> None:
        """See NodeApi."""
        self.farewells += 1
        self.is_parted = True

    def of_run(self, run_id: int, token: str, stop: threading.Event) -> RunApi:
        """See NodeApi."""
        return MemoryRun(self, run_id, token)

    def close(self) -> None:
        """See NodeApi."""

    def stream(self, run_id: int, name: str) -> bytes:
        """What a stream holds."""
        return bytes(self.streams.get((run_id, name), b""))

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return when `condition` holds.

        Raises:
            TimeoutError: it did not within SECONDS.
        """
        with self._changed:
            if not self._changed.wait_for(condition, SECONDS):
                raise TimeoutError("the worker did not do what was waited for")

    def wait_for_end(self, box: BoxId) -> Ended:
        """How an attempt ended."""
        self.wait_for(lambda: any(event.kind is EventKind.ENDED for event in self.events.get(box, [])))
        return Ended.from_dict(self.events[box][-1].data)

    def notice(self) -> None:
        """Something changed."""
        with self._changed:
            self._changed.notify_all()


class MemoryRun:
    """RunApi."""

    def __init__(self, server: MemoryServer, run_id: int, token: str) -> None:
        self._server = server
        self._run_id = run_id
        self._token = token

    def claim(self) -> RunSpec:
        """See RunApi."""
        spec = self._server.specs.get(self._token)
        if spec is None or spec.run_id != self._run_id:
            raise AttemptOver("This attempt is over.")
        return spec

    def fetch_blob(self, name: str) -> Iterator[bytes]:
        """See RunApi."""
        yield self._find(name)

    def fetch_pack(self, names: list[str]) -> bytes:
        """See RunApi."""
        return packs.encode((name, self._find(name)) for name in names)

    def find_missing(self, names: list[str]) -> set[str]:
        """See RunApi."""
        return set(names) - set(self._server.blobs)

    def put_blob(self, name: str, content: BinaryIO, size: int) -> None:
        """See RunApi."""
        content.seek(0)
        data = content.read(size)
        if self._server.keep(data) != name:
            raise ServerRefused("The bytes are not what their hash says.")

    def put_pack(self, pack: bytes) -> None:
        """See RunApi."""
        for _, data in packs.decode(pack):
            self._server.keep(data)

    def find_checkpoint(self, session: str | None, name: str) -> Tree:
        """See RunApi."""
        tree = self._server.checkpoints.get((session, name))
        if tree is None:
            raise ServerRefused(f"There is no checkpoint {name}.")
        return tree

    def append(self, stream: str, offset: int, data: bytes) -> int:
        """See RunApi."""
        self.claim()
        held = self._server.streams.setdefault((self._run_id, stream), bytearray())
        if offset > len(held):
            raise StreamGap("Bytes before these are missing.", len(held))
        held += data[len(held) - offset :]
        self._server.notice()
        return len(held)

    def tell(self, attempt: int, events: list[RunEvent]) -> int:
        """See RunApi."""
        self.claim()
        held = self._server.events.setdefault(BoxId(self._run_id, attempt), [])
        if len(events) > MOST_FACTS:
            raise ServerRefused(f"These are {len(events)} facts; {MOST_FACTS} fit in one request.")
        for event in events:
            if event.seq == len(held) + 1:
                held.append(event)
        self._server.notice()
        return len(held)

    def _find(self, name: str) -> bytes:
        if name not in self._server.blobs:
            raise ServerRefused(f"There is no blob {name}.")
        return self._server.blobs[name]


def _pairs(boxes: list[BoxId]) -> list[list[int]]:
    return [[box.run_id, box.attempt] for box in boxes]
