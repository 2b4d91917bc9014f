"""Breaking off what takes long: whoever works says how it is ended, whoever stops it need not know."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from nsml_worker.errors import PreparationStopped


class Cancellation:
    """One piece of work that may be broken off, from any thread and as often as one likes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = False
        self._end: Callable[[], None] | None = None

    def cancel(self) -> None:
        """End it now, or as soon as it can be ended."""
        with self._lock:
            self._cancelled = True
            if self._end is not None:
                self._end()

    def check(self) -> None:
        """Raises PreparationStopped: it was cancelled."""
        if self._cancelled:
            raise PreparationStopped("It was stopped while its box was made ready.")

    @contextlib.contextmanager
    def ending_by(self, end: Callable[[], None]) -> Iterator[None]:
        """While this lasts, `end` ends the work; it may be called more than once. Afterwards see `check`."""
        with self._lock:
            self._end = end
            if self._cancelled:
                end()
        try:
            yield
        finally:
            with self._lock:
                self._end = None
