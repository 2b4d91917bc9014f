"""Watching something go on, across cut connections and restarts of the server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from nsmlctl.api import LONG_POLL, Api
from nsmlctl.errors import CutOff, ServerAway
from nsmlctl.output import tell
from nsmlctl.references import SessionReference

PATIENCE = 300.0  # seconds without an answer until we give up; a restart of the server takes one minute at most
FIRST_DELAY, LONGEST_DELAY = 0.25, 5.0  # seconds between two tries
# Seconds between two looks at a session that is about to start; together about four.
START_DELAYS = (0.03, 0.05, 0.1, 0.1, 0.2, 0.25, 0.25, 0.5, 0.5, 1.0, 1.0)
ENOUGH = 5  # looks after which a place in the line, or a preparation, is believed to last

Json = dict[str, Any]
Pause = Callable[[float], None]
Answer = TypeVar("Answer")


def patiently(ask: Callable[[], Answer], pause: Pause) -> Answer:
    """Ask until somebody answers. Raises ServerAway after PATIENCE seconds."""
    waited, delay = 0.0, FIRST_DELAY
    while True:
        try:
            return ask()
        except ServerAway as error:
            if waited >= PATIENCE:
                raise
            if not waited:
                tell(f"{error} Trying again; Ctrl-C leaves.")
        pause(delay)
        waited, delay = waited + delay, min(delay * 2, LONGEST_DELAY)


def follow_log(api: Api, reference: SessionReference, write: Callable[[bytes], None], pause: Pause) -> None:
    """Write the log from its first byte until the session is over; after a cut it goes on at the byte it had reached."""
    offset = 0
    while True:
        before = offset
        chunks = patiently(partial(api.log, reference, offset=offset, follow=True), pause)
        try:
            for chunk in chunks:
                write(chunk)
                offset += len(chunk)
        except CutOff:
            if offset == before:
                pause(FIRST_DELAY)
        else:
            return


def follow_submission(api: Api, submission: Json, pause: Pause, wait: int = LONG_POLL) -> Iterator[Json]:
    """The submission as it is now, and again after every change or `wait` seconds; the last one is final."""
    while True:
        yield submission
        if submission["final"]:
            return
        submission = patiently(partial(api.submission, submission["id"], seen=submission["version"], wait=wait), pause)


class RehearsalLog:
    """The log of a rehearsal, written as it grows."""

    def __init__(self, api: Api, number: int, write: Callable[[bytes], None]) -> None:
        self._api, self._number, self._write = api, number, write
        self._offset = 0

    def catch_up(self) -> None:
        """Write what is new. What a broken connection kept back comes with the next call."""
        try:
            for chunk in self._api.rehearsal_log(self._number, self._offset):
                self._write(chunk)
                self._offset += len(chunk)
        except (ServerAway, CutOff):
            return


def is_prepared(session: Json) -> bool:
    """Whether something is being done for it that has a name."""
    return bool(session["state"] == "preparing" and session.get("message"))


def wait_for_start(api: Api, reference: SessionReference, session: Json, pause: Pause) -> Json:
    """The session once it runs, is over, or says why it waits; or as it is after a few seconds."""
    for tried, delay in enumerate(START_DELAYS):
        takes_long = bool((session.get("waiting") or {}).get("position")) or is_prepared(session)
        if session.get("started_at") or session["final"] or (takes_long and tried >= ENOUGH):
            break
        pause(delay)
        session = api.session(reference)
    return session
