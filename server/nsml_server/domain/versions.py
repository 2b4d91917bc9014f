"""A worker and a server of different versions: which is the older, and what to do about it."""

from __future__ import annotations

import enum
import re

_NUMBERS = re.compile(r"\d+(?:\.\d+)*")
MAX_SHOWN = 40  # characters of a version that somebody else told


class Skew(enum.StrEnum):
    """What a worker is, seen from the server."""

    OLDER = "older"
    NEWER = "newer"


def compare(worker: str, server: str) -> Skew | None:
    """None: they are the same, or one of them is no version. A worker that does not tell its own is older than those that do."""
    if not worker:
        return Skew.OLDER
    theirs, ours = _read(worker), _read(server)
    if not theirs or not ours or theirs == ours:
        return None
    return Skew.OLDER if theirs < ours else Skew.NEWER


def advise(worker: str, server: str) -> str | None:
    """What an operator is told where the versions differ."""
    skew = compare(worker, server)
    if skew is None:
        return None
    named = worker[:MAX_SHOWN] if worker else "of a version that it does not tell"
    if skew is Skew.OLDER:
        return f"This worker is {named}, older than the server, which is {server}: update the worker."
    return f"This worker is {named}, newer than the server, which is {server}: what the server does not know, it passes over. Update the server."


def _read(text: str) -> tuple[int, ...]:
    found = _NUMBERS.match(text[:MAX_SHOWN])
    numbers = [int(part) for part in found[0].split(".")] if found else []
    while numbers and not numbers[-1]:
        numbers.pop()  # 1.0 is 1
    return tuple(numbers)
