"""Which bytes each attempt may fetch, remembered: a box asks for its files one by one."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

REMEMBERED = 64  # attempts; one that was forgotten is looked up again


class Grants:
    """The hashes an attempt mounts. An attempt's spec never changes, so nothing here becomes stale."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[int, int], frozenset[str]] = OrderedDict()

    def of(self, run_id: int, attempt: int, look_up: Callable[[], frozenset[str]]) -> frozenset[str]:
        """The hashes of this attempt; `look_up` finds them when they are not remembered."""
        key = (run_id, attempt)
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        found = look_up()
        with self._lock:
            self._known[key] = found
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return found
