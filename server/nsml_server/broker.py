"""The way a hand-over takes to a node: Celery, or a list for tests. Only a transport: rows are the truth."""

from __future__ import annotations

import functools
import sqlite3
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from nsml_worker.contract import queue_of

if TYPE_CHECKING:
    from celery import Celery

FILE_SCHEME = "sqla+sqlite:"  # the embedded broker


@dataclass(frozen=True)
class Message:
    """`task` is to be done on `node` with these arguments and no others."""

    node: str
    task: str
    run_id: int
    token: str


class Broker(Protocol):
    """Sends messages; one that cannot be sent now raises, and is sent again later."""

    def send(self, message: Message) -> None:
        """Hand the message over; it may arrive twice or never."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class MemoryBroker:
    """Keeps what was sent, for tests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: list[Message] = []
        self.is_down = False

    def send(self, message: Message) -> None:
        """Remember the message.

        Raises:
            ConnectionError: the broker was said to be down.
        """
        if self.is_down:
            raise ConnectionError("the broker is down")
        with self._lock:
            self._sent.append(message)

    def take(self) -> list[Message]:
        """All that was sent since the last look."""
        with self._lock:
            taken, self._sent = self._sent, []
        return taken

    def close(self) -> None:
        """Nothing to let go of."""


class CeleryBroker:
    """Sends by Celery, to the queue that only the chosen node reads. Connects at the first message."""

    def __init__(self, url: str) -> None:
        self._url = url

    def send(self, message: Message) -> None:
        """Hand the message to Celery; raises what the transport raises."""
        self._celery.send_task(
            message.task,
            args=[message.run_id, message.token],
            queue=queue_of(message.node),
            ignore_result=True,
            # The outbox tries again; a retry in here would hold up the messages to other nodes.
            retry=False,
        )

    def close(self) -> None:
        """Close the connections, if any were made."""
        if "_celery" in self.__dict__:
            self._celery.close()

    @functools.cached_property
    def _celery(self) -> Celery:
        from celery import Celery  # when needed: it costs memory that tests and pages do not

        celery = Celery("nsml_server", broker=self._url, set_as_current=False)
        if self._url.startswith(FILE_SCHEME):
            celery.conf.broker_transport_options = {"connect_args": {"factory": _Unflushed}}
        return celery


class _Unflushed(sqlite3.Connection):
    """The file is made anew at each start, and what it loses is sent again: nobody waits for a disk."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.execute("PRAGMA synchronous = OFF")
