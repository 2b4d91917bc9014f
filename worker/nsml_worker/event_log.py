"""The facts of one attempt, on disk before they are told, so that none is lost and none is told under two numbers."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

from nsml_worker.contract import EventKind, RunEvent
from nsml_worker.server_api import RunApi


class EventLog:
    """Numbers facts from 1 and tells them in order. Safe for several threads."""

    def __init__(self, path: Path, attempt: int, api: RunApi) -> None:
        """Goes on where an earlier worker left off: `path` keeps all facts so far."""
        self._path = path
        self._attempt = attempt
        self._api = api
        self._lock = threading.Lock()
        self.events = read_events(path)
        self._accepted = 0

    def note(self, kind: EventKind, data: dict[str, Any] | None = None) -> None:
        """Keep a fact; the next `tell` takes it along."""
        with self._lock:
            event = RunEvent(len(self.events) + 1, kind, time.time(), data or {})
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(event.to_dict()) + "\n")
            self.events.append(event)

    def tell(self, kind: EventKind | None = None, data: dict[str, Any] | None = None) -> None:
        """Keep a fact and tell the server all it has not accepted yet."""
        if kind is not None:
            self.note(kind, data)
        with self._lock:
            waiting = self.events[self._accepted :]
            if waiting:
                self._accepted = max(self._accepted, self._api.tell(self._attempt, waiting))

    def has(self, kind: EventKind) -> bool:
        """Whether such a fact was kept."""
        return any(event.kind is kind for event in self.events)


def read_events(path: Path) -> list[RunEvent]:
    """Facts kept on disk. A line that was cut off by a crash was never told, and is forgotten."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        path.write_bytes(whole)
    return [RunEvent.from_dict(json.loads(line)) for line in whole.splitlines()]
