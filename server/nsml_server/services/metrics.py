"""Curves: read from the journal, the one place where every point is, and sampled."""

from __future__ import annotations

from collections.abc import Iterator

from nsml_server.domain import journal
from nsml_server.services.attempts import EVENTS
from nsml_server.services.platform import Platform

MAX_POINTS = 10_000  # of one curve in one answer
_CHUNK = 2**20  # bytes read at a time


def curves_of(platform: Platform, run_id: int, points: int) -> dict[str, dict[str, list[float]]]:
    """Each metric of a run as step, value and time, in at most about `points` points."""
    return journal.series(_lines(platform, run_id), min(points, MAX_POINTS))


def _lines(platform: Platform, run_id: int) -> Iterator[journal.Line]:
    offset, rest = 0, b""
    while chunk := platform.streams.read(run_id, EVENTS, offset, _CHUNK):
        offset += len(chunk)
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > journal.MAX_LINE:
            rest = rest[: journal.MAX_LINE + 1]  # too long already, whatever follows
        for raw in whole:
            line = journal.parse(raw) if raw else None
            if line is not None:
                yield line
