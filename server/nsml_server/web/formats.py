"""How values are written on a page: pure functions, used by the templates as filters."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from typing import Any

import humanize

from nsml_server.web.i18n import mark

# What a person reads for each state; the tone picks the colour of the badge.
STATES = {
    "queued": (mark("Queued"), "waiting"),
    "placed": (mark("Queued"), "waiting"),
    "preparing": (mark("Preparing"), "waiting"),
    "running": (mark("Running"), "active"),
    "paused": (mark("Paused"), "active"),
    "zombie": (mark("Zombie"), "waiting"),  # it runs, and a GPU it was given does nothing
    "stopping": (mark("Stopping"), "waiting"),
    "exited": (mark("Exited"), "good"),
    "failed": (mark("Failed"), "bad"),
    "stopped": (mark("Stopped"), "quiet"),
    "predicting": (mark("Predicting"), "active"),
    "scoring": (mark("Scoring"), "active"),
    "scored": (mark("Scored"), "good"),
    "cancelled": (mark("Cancelled"), "quiet"),
}
ORDERS = {
    "descending": mark("higher is better"),
    "ascending": mark("lower is better"),
}


def word_of(state: str) -> str:
    """The word for a state, still to be translated; a state we do not know is shown as it is."""
    return STATES.get(state, (state, "quiet"))[0]


def tone_of(state: str) -> str:
    """waiting, active, good, bad or quiet."""
    return STATES.get(state, (state, "quiet"))[1]


def order_of(order: str) -> str:
    """What an order means to a reader, still to be translated."""
    return ORDERS.get(order, order)


def write_number(value: Any) -> str:
    """A score or a metric: six decimals where they align, else six significant digits. Text stays as it is."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if not math.isfinite(value) or isinstance(value, int):
        return str(value)
    return f"{value:.6f}" if 1e-4 <= abs(value) < 1e4 or value == 0 else f"{value:.6g}"


def write_size(size: int | None) -> str:
    """Bytes, in decimal units."""
    return "–" if size is None else humanize.naturalsize(size)


def write_duration(seconds: float | None) -> str:
    """Seconds as H:MM:SS, which reads alike in every language."""
    if seconds is None:
        return "–"
    minutes, second = divmod(max(0, int(seconds)), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}"


def write_time(moment: str | None) -> str:
    """An ISO 8601 time of ours as a short UTC time; the browser then writes it in its own zone."""
    parsed = read_time(moment)
    return "–" if parsed is None else parsed.strftime("%Y-%m-%d %H:%M:%S UTC")


def read_time(moment: str | None) -> datetime.datetime | None:
    """The moment of an ISO 8601 text, or None."""
    if not moment:
        return None
    return datetime.datetime.fromisoformat(moment).astimezone(datetime.UTC)


def list_uses(use: Mapping[str, Any] | None) -> list[str]:
    """What a session uses now, as far as its machine tells: memory, processors, each of its GPUs."""
    told = use or {}
    parts = [write_size(told["memory"])] if told.get("memory") is not None else []
    if told.get("cpu") is not None:
        parts.append(f"{told['cpu']:.1f} CPU")
    return [*parts, *(f"GPU {number}: {busy} %" for number, busy in enumerate(told.get("gpu_utilisation") or ()))]


def elapsed_between(started: str | None, ended: str | None, now: datetime.datetime) -> float | None:
    """Seconds from start to end, or to now while it goes on; None before the start."""
    begin = read_time(started)
    return None if begin is None else ((read_time(ended) or now) - begin).total_seconds()
