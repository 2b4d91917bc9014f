"""The facts of one attempt, on disk before they are told, so that none is lost and none is told under two numbers."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from nsml_worker.contract import EventKind, RunEvent
from nsml_worker.errors import BoxUnreadable, ServerRefused
from nsml_worker.plain_json import make_plain
from nsml_worker.server_api import RunApi

MAX_FACTS = 500  # in one request; the server takes twice as many
MAX_BYTES = 8 << 20  # of the facts in one request, where they are more than one: a checkpoint may name many files


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
        """Keep a fact; the next `tell` takes it along.

        Raises:
            OSError, ValueError: it could not be written down, or holds a number that is not finite. Then it is not kept.
        """
        with self._lock:
            event = RunEvent(len(self.events) + 1, kind, time.time(), make_plain(data or {}))
            append_line(self._path, json.dumps(event.to_dict()))
            self.events.append(event)

    def tell(self, kind: EventKind | None = None, data: dict[str, Any] | None = None) -> None:
        """Keep a fact and tell the server all it has not accepted yet.

        Raises:
            ServerRefused: among other things when it passes over a fact that comes next.
        """
        if kind is not None:
            self.note(kind, data)
        with self._lock:
            while part := self._find_next():
                accepted = self._api.tell(self._attempt, part)
                if accepted == self._accepted:
                    raise ServerRefused(f"The server has {accepted} facts and does not take the next one.")
                self._accepted = accepted  # fewer than before: it was set back, and is told the rest again

    def has(self, kind: EventKind) -> bool:
        """Whether such a fact was kept."""
        return any(event.kind is kind for event in self.events)

    def _find_next(self) -> list[RunEvent]:
        """What goes into one request."""
        part: list[RunEvent] = []
        room = MAX_BYTES
        for event in self.events[self._accepted : self._accepted + MAX_FACTS]:
            room -= len(json.dumps(event.data))
            if part and room < 0:
                break
            part.append(event)
        return part


def append_line(path: Path, text: str) -> None:
    """Whole or not at all: half a line would swallow the next one. Raises OSError when it is not there afterwards."""
    with path.open("ab", buffering=0) as file:
        begin = file.tell()
        rest = text.encode() + b"\n"
        try:
            while rest:
                rest = rest[file.write(rest) :]
            os.fdatasync(
                file.fileno()
            )  # what is told and then forgotten in a power cut would be counted wrong from there on
        except OSError:
            file.truncate(begin)
            raise


def read_events(path: Path) -> list[RunEvent]:
    """Facts kept on disk. A line that was cut off by a crash was never told, and is forgotten.

    Raises:
        BoxUnreadable: what is there are no facts.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        path.write_bytes(whole)
    try:
        return [RunEvent.from_dict(json.loads(line)) for line in whole.splitlines()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BoxUnreadable(f"{path} cannot be read: {error}. Remove its folder once its program has ended.") from error
