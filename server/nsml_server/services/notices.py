"""News for those who follow: a topic has a version, and whoever waits hears when it has moved on.

Topics: "board:DATASET", "session:RUN_ID", "submission:ID", "stream:RUN_ID:log", "stream:RUN_ID:events". A notice says that
something changed and nothing else: what it is, is read from the rows. So a notice may be lost or come twice.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import OrderedDict, defaultdict
from contextlib import suppress

REMEMBERED = 10_000  # topics whose version is known exactly; an older one counts as just changed


class Notices:
    """Topics and who waits for them. `publish` may be called from any thread, `wait` from any event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = itertools.count(1)
        self._versions: OrderedDict[str, int] = OrderedDict()
        self._forgotten = 0
        self._waiting: defaultdict[str, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = defaultdict(set)
        self._closed = False

    @property
    def is_closed(self) -> bool:
        """Whether the server is going down: who follows should end."""
        return self._closed

    def version(self, topic: str) -> int:
        """Where the topic stands; give it to `wait` as what you have seen."""
        return self._versions.get(topic, self._forgotten)

    def publish(self, topic: str) -> None:
        """The topic has changed."""
        with self._lock:
            self._versions[topic] = next(self._count)
            self._versions.move_to_end(topic)
            if len(self._versions) > REMEMBERED:
                self._forgotten = self._versions.popitem(last=False)[1]
            waiting = list(self._waiting.get(topic, ()))
        _wake(waiting)

    async def wait(self, topic: str, seen: int) -> int:
        """Returns the topic's version once it is not `seen` any more, or when the server goes down."""
        entry = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            if self._closed or self.version(topic) != seen:
                return self.version(topic)
            self._waiting[topic].add(entry)
        try:
            await entry[1].wait()
        finally:
            with self._lock:
                self._waiting[topic].discard(entry)
                if not self._waiting[topic]:
                    del self._waiting[topic]
        return self.version(topic)

    async def wait_at_most(self, seconds: float, topic: str, seen: int) -> int:
        """As `wait`, and returns `seen` when nothing happened in that time."""
        try:
            return await asyncio.wait_for(self.wait(topic, seen), seconds)
        except TimeoutError:
            return seen

    def close(self) -> None:
        """Wake everybody for the last time."""
        with self._lock:
            self._closed = True
            waiting = [entry for entries in self._waiting.values() for entry in entries]
        _wake(waiting)


def _wake(waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
    for loop, event in waiting:
        with suppress(RuntimeError):  # of a loop that is closed: nobody waits there any more
            loop.call_soon_threadsafe(event.set)
