"""The one thread that looks after what waits: woken by a bell, and once a second for what nobody rang for."""

from __future__ import annotations

import threading

import structlog

from nsml_server.broker import Message
from nsml_server.services import caps, leases, placing, requests
from nsml_server.services.platform import Platform
from nsml_server.storage.repositories import outbox, runs

HOUSEKEEPING = 3600.0  # seconds between two looks for what may be forgotten
_PAUSE_AFTER_ERROR = 1.0  # seconds

log = structlog.get_logger()


class Dispatcher:
    """Places, sends, sweeps. Several servers may each have one: every step is a conditional update."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go, name="dispatcher", daemon=True)
        self._tidied_at = 0.0

    @property
    def is_alive(self) -> bool:
        """Whether the thread is at work."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin, in a thread of its own."""
        leases.renew_all(self._platform)
        self._thread.start()

    def stop(self) -> None:
        """Finish the round that is under way, and end."""
        self._over.set()
        self._platform.bell.ring()
        if self._thread.is_alive():
            self._thread.join()

    def run_once(self) -> None:
        """One round: take back what is overdue, place what waits, send what is to be sent."""
        with self._platform.database.read() as tx:
            found = runs.outstanding(tx, self._platform.now())
        caps.enforce(self._platform)
        if found.overdue:
            leases.sweep(self._platform)
        if found.overdue or found.queued:
            placing.place_waiting(self._platform)
        if any(found):
            send_waiting(self._platform)
        if self._platform.now() - self._tidied_at > HOUSEKEEPING:
            self._tidied_at = self._platform.now()
            leases.forget_old(self._platform, requests.KEPT)

    def _go(self) -> None:
        while not self._over.is_set():
            try:
                self.run_once()
            except Exception:  # a round that fails must not end the rounds: the next one may succeed
                log.exception("dispatch_failed")
                self._over.wait(_PAUSE_AFTER_ERROR)
            self._platform.bell.wait(self._platform.settings.tick)


def send_waiting(platform: Platform) -> int:
    """Hand what is in the outbox to the broker; what it does not take stays. Returns how many were sent.

    A message is deleted after it was sent, so a crash in between sends it twice: the second is refused by its attempt.
    """
    with platform.database.read() as tx:
        waiting = [(row.id, Message(row.node, row.task, row.run_id, row.token)) for row in outbox.waiting(tx)]
    sent: list[int] = []
    for row_id, message in waiting:
        try:
            platform.broker.send(message)
        except Exception as error:  # each transport has errors of its own; none may lose a message
            log.warning("broker_away", error=str(error)[:500], waiting=len(waiting) - len(sent))
            break
        sent.append(row_id)
    if sent:
        with platform.database.write() as tx:
            outbox.delete_sent(tx, sent)
    return len(sent)
