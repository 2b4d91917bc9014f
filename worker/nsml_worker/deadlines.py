"""Things to do at a time, done by one thread."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger()


class Deadlines:
    """Calls what was asked for, when it was asked for. Calls must not take long: they wait for one another."""

    def __init__(self, name: str) -> None:
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._is_open = True
        self._thread = threading.Thread(target=self._go, name=name, daemon=True)
        self._thread.start()

    def add(self, seconds: float, action: Callable[[], object]) -> None:
        """Call `action` in so many seconds from now."""
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), action))
            self._changed.notify()

    def close(self) -> None:
        """Do nothing any more; returns when nothing is under way."""
        with self._changed:
            self._is_open = False
            self._changed.notify()
        self._thread.join()

    def _go(self) -> None:
        while (action := self._wait()) is not None:
            try:
                action()
            except Exception:
                log.exception("deadline_failed")

    def _wait(self) -> Callable[[], object] | None:
        """The next action, when it is due; None when there will be none."""
        with self._changed:
            while self._is_open:
                now = time.monotonic()
                if self._due and self._due[0][0] <= now:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(self._due[0][0] - now if self._due else None)
        return None
