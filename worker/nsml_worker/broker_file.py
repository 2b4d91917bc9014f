"""Celery's broker in a SQLite file, without polling: the file itself tells when somebody wrote to it."""

from __future__ import annotations

import math
import queue
import sqlite3
import time
from typing import Any

from inotify_simple import INotify, flags
from kombu.transport.sqlalchemy import Transport
from sqlalchemy.engine import make_url

LONGEST_WAIT = 1.0  # seconds between two looks when nothing was heard: a network file system may say nothing


class Unflushed(sqlite3.Connection):
    """The file is made anew at each start, and what it loses is sent again: nobody waits for a disk."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.execute("PRAGMA synchronous = OFF")


class WatchedTransport(Transport):
    """kombu's transport over SQLAlchemy, woken by inotify instead of looking thirty times a second."""

    client: Any
    cycle: Any
    _inotify: INotify | None = None

    def drain_events(self, connection: Any, timeout: float | None = None, **kwargs: Any) -> None:
        """Deliver one message.

        Raises:
            TimeoutError: none came within `timeout` seconds.
        """
        until = math.inf if timeout is None else time.monotonic() + timeout
        if self._inotify is None:
            self._inotify = INotify()
            self._inotify.add_watch(make_url(self.client.hostname).database, flags.MODIFY)
        while True:
            try:
                self.cycle.get(self._deliver, timeout=timeout)
            except queue.Empty:
                rest = until - time.monotonic()
                if rest <= 0:
                    raise TimeoutError from None
                self._inotify.read(timeout=min(rest, LONGEST_WAIT) * 1000)
            else:
                return

    def close_connection(self, connection: Any) -> None:
        """Let go of the watch as well."""
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None
        super().close_connection(connection)  # type: ignore[no-untyped-call]
