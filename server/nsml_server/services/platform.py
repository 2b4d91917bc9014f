"""The real things this server works with, chosen once in app.create_app and handed to whoever needs them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from nsml_server.broker import Broker
from nsml_server.clock import Clock
from nsml_server.services.grants import Grants
from nsml_server.services.notices import Notices
from nsml_server.services.waits import Waits
from nsml_server.settings import Settings
from nsml_server.storage.blobs import BlobStore
from nsml_server.storage.database import Database, WriteTransaction, after_commit
from nsml_server.storage.streams import StreamStore


class Bell:
    """Wakes the dispatcher; rung as often as one likes, it is heard once."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def ring(self) -> None:
        """There is something to place or to send."""
        self._rung.set()

    def wait(self, seconds: float) -> bool:
        """Wait for the bell; False when nobody rang in that time."""
        heard = self._rung.wait(seconds)
        self._rung.clear()
        return heard


class RunLocks:
    """One lock for each run, near enough: what is checked about a run stays true while its streams are touched."""

    _COUNT = 64

    def __init__(self) -> None:
        self._locks = [threading.Lock() for _ in range(self._COUNT)]

    def of(self, run_id: int) -> threading.Lock:
        """The run's lock; some runs share one. Never take two, nor one inside a write transaction."""
        return self._locks[run_id % self._COUNT]


@dataclass(frozen=True)
class Platform:
    """Settings, stores, transport, time, and the two ways to tell that something happened."""

    settings: Settings
    database: Database
    blobs: BlobStore
    streams: StreamStore
    broker: Broker
    clock: Clock
    notices: Notices = field(default_factory=Notices)
    bell: Bell = field(default_factory=Bell)
    waits: Waits = field(default_factory=Waits)
    locks: RunLocks = field(default_factory=RunLocks)
    grants: Grants = field(default_factory=Grants)

    def now(self) -> float:
        """Unix seconds."""
        return self.clock.now()

    def tell(self, tx: WriteTransaction, *topics: str) -> None:
        """Publish these topics once the transaction is committed."""
        for topic in topics:
            after_commit(tx, lambda topic=topic: self.notices.publish(topic))  # type: ignore[misc]

    def hurry(self, tx: WriteTransaction) -> None:
        """Wake the dispatcher once the transaction is committed."""
        after_commit(tx, self.bell.ring)
