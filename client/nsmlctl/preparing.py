"""What is being done for a session before it can start, told to whoever waits for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from nsmlctl.api import Api
from nsmlctl.following import is_prepared, patiently
from nsmlctl.output import plain, tell
from nsmlctl.references import SessionReference

LOOK = 1.0  # seconds between two looks
QUIET = 10  # looks between two lines about the same step where lines stay: in a file, in a log of CI

Json = dict[str, Any]


def accompany(api: Api, reference: SessionReference, session: Json, pause: Callable[[float], None]) -> Json:
    """The session once it is prepared; an image may have to be pulled and packages installed."""
    show = _rewrite if sys.stderr.isatty() else tell
    told, looks = "", 0
    begun: set[str] = set()
    while is_prepared(session):
        text = plain(str(session["message"]))
        step = text.partition(" ")[0]  # Pulling, Installing, Downloading, …
        if text != told and (show is not tell or step not in begun or looks % QUIET == 0):
            show(text)
            told = text
        begun.add(step)
        pause(LOOK)
        looks += 1
        session = patiently(partial(api.session, reference), pause)
    if told and show is not tell:
        show("")
    return session


def _rewrite(text: str) -> None:
    """In place of what stood there."""
    sys.stderr.write(f"\r\x1b[K{text}")
    sys.stderr.flush()
