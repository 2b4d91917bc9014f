"""Pulls and builds what somebody is likely to ask for, while nobody waits: one after the other, in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from nsml_worker.contract import Environment
from nsml_worker.errors import Leaving, RunFailed, ServerError

EVERY = 300.0  # seconds between two questions to the server
FIRST = 5.0  # seconds until the first, so that whoever waited for the worker's start goes before
RETRY = 3600.0  # seconds after which what could not be made is tried again

log = structlog.get_logger()


class Warmer:
    """Asks what is wanted and has it made ready."""

    def __init__(
        self,
        fetch: Callable[[], list[Environment]],
        warm: Callable[[Environment, threading.Event], None],
        halt: threading.Event,
        *,
        first: float = FIRST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`fetch` raises ServerError, `warm` RunFailed; `halt` ends it, also in the middle of something."""
        self._fetch = fetch
        self._warm = warm
        self._halt = halt
        self._first = first
        self._clock = clock
        self._failed: dict[Environment, float] = {}

    def start(self) -> None:
        """Begin. Returns at once."""
        threading.Thread(target=self._go, name="warmer", daemon=True).start()

    def look(self) -> None:
        """Make everything ready that is wanted now. What has failed of late is left alone."""
        try:
            wanted = self._fetch()
        except (ServerError, Leaving) as error:
            log.info("wanted_unknown", said=str(error))
            return
        now = self._clock()
        self._failed = {one: at for one, at in self._failed.items() if now - at < RETRY}
        for one in wanted:
            if self._halt.is_set():
                return
            if one not in self._failed:
                self._make(one)

    def _make(self, one: Environment) -> None:
        try:
            self._warm(one, self._halt)
        except RunFailed as error:
            self._failed[one] = self._clock()
            log.info("not_warmed", image=one.reference or one.runtime, wanted=one.requirements, said=str(error))

    def _go(self) -> None:
        pause = self._first
        while not self._halt.wait(pause):
            try:
                self.look()
            except Exception:  # nobody waits for it, and the next time may be better
                log.exception("warming_failed")
            pause = EVERY
