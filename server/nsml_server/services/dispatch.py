"""The one thread that looks after what waits: woken by a bell, and once a second for what nobody rang for.

Deciding who is next costs with the length of the line, so it is done when something has changed that it depends on (whoever
changes that rings the bell), and now and then for what only time changes: who used how much, and which machine fell silent.
"""

from __future__ import annotations

import threading
import time

import structlog

from nsml_server.broker import Message
from nsml_server.services import caps, leases, placing, requests
from nsml_server.services.platform import Platform
from nsml_server.storage.repositories import outbox, runs

LOOK_AGAIN = 10.0  # seconds after which what waits is looked at though nobody rang
HOUSEKEEPING = 3600.0  # seconds between two looks for what may be forgotten
_PAUSE_AFTER_ERROR = 1.0  # seconds
_BREATH = 0.2  # seconds between two rounds at most, when bells follow each other

log = structlog.get_logger()


class Dispatcher:
    """Places, sends, sweeps. Several servers may each have one: whoever takes a run up has locked it."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go, name="dispatcher", daemon=True)
        self._tidied_at = 0.0
        self._placed_at: float | None = None  # when what waits was last looked at; None: something has changed since
        self._swept_at: float | None = None  # when we last knew which leases had run out

    @property
    def is_alive(self) -> bool:
        """Whether the thread is at work."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the round that is under way, and end."""
        self._over.set()
        self._platform.bell.ring()
        if self._thread.is_alive():
            self._thread.join()

    def run_once(self, *, rung: bool = True) -> None:
        """One round: take back what is overdue, place what waits, send what is to be sent. `rung`: somebody said that what
        decides about places has changed.
        """
        if rung:
            self._placed_at = None  # until it was done: a round that fails leaves it to the next
        if self._was_away():
            leases.renew_all(self._platform)
        with self._platform.database.read() as tx:
            found = runs.outstanding(tx, self._platform.now())
        caps.enforce(self._platform)
        if found.overdue:
            leases.sweep(self._platform)
        self._swept_at = self._platform.now()
        if found.overdue or (found.queued and self._is_due()):
            placing.place_waiting(self._platform)
            self._placed_at = self._platform.now()
        if any(found):
            send_waiting(self._platform)
        if self._platform.now() - self._tidied_at > HOUSEKEEPING:
            self._tidied_at = self._platform.now()
            leases.forget_old(self._platform, requests.KEPT)

    def _was_away(self) -> bool:
        """Whether workers could not renew for a while, or the clock was set on: neither says anything about a worker."""
        longest = self._platform.settings.lease / 2 + self._platform.settings.tick
        return self._swept_at is None or self._platform.now() - self._swept_at > longest

    def _is_due(self) -> bool:
        """A clock that was set back is no reason to wait."""
        return self._placed_at is None or not 0 <= self._platform.now() - self._placed_at < LOOK_AGAIN

    def _go(self) -> None:
        rung = True  # nobody knows what happened before
        while not self._over.is_set():
            begun = time.monotonic()
            try:
                self.run_once(rung=rung)
            except Exception:  # a round that fails must not end the rounds: the next one may succeed
                log.exception("dispatch_failed")
                self._over.wait(_PAUSE_AFTER_ERROR)
            # As long as the round took, so that a long line leaves others half of the time; who rings meanwhile is heard once.
            self._over.wait(min(_BREATH, time.monotonic() - begun))
            rung = self._platform.bell.wait(self._platform.settings.tick)


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
