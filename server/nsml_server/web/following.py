"""Waiting for news on several topics at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

from nsml_server.services.notices import Notices

PAUSE = 0.1  # seconds between two rounds, so that a program that prints without end costs no more than ten a second


class Following:
    """Iterates over sets of topics that changed: all of them at first, then what moved since.

    What is read after a round is at least as new as that round's news, so nothing is missed. Ends when the server goes down.
    """

    def __init__(self, notices: Notices, topics: Iterable[str], pause: float = PAUSE) -> None:
        self._notices = notices
        self._seen = {topic: notices.version(topic) for topic in topics}
        self._pause = pause

    def add(self, topic: str) -> None:
        """Follow one more topic from now on."""
        self._seen.setdefault(topic, self._notices.version(topic))

    def drop(self, topic: str) -> None:
        """Follow a topic no longer."""
        self._seen.pop(topic, None)

    async def __aiter__(self) -> AsyncIterator[frozenset[str]]:
        """One set of topics for each round."""
        yield frozenset(self._seen)
        while True:
            await self._wait_for_any()
            if self._notices.is_closed:
                return
            # Changes that come close together are told together.
            await asyncio.sleep(self._pause)
            yield self._take_changed()

    def _take_changed(self) -> frozenset[str]:
        now = {topic: self._notices.version(topic) for topic in self._seen}
        changed = frozenset(topic for topic, version in now.items() if version != self._seen[topic])
        self._seen = now
        return changed

    async def _wait_for_any(self) -> None:
        waiting = [asyncio.ensure_future(self._notices.wait(topic, seen)) for topic, seen in self._seen.items()]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
