"""Credits: one is one GPU for one minute. Counted in whole GPU-seconds, so that nothing is ever rounded twice."""

from __future__ import annotations

import datetime
from enum import StrEnum

GPU_SECONDS = 60  # in one credit
MAX_GRANT = 10**9  # credits
_SLACK = 0.0005  # seconds: moments are told to the millisecond, and floats of unix time are not exact beyond


class Every(StrEnum):
    """How often a grant is repeated: at the full hour, at midnight, on Mondays, on the first of a month; all in UTC."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


def cost_of(gpus: int, began: float, ended: float) -> int:
    """GPU-seconds of an allocation: full seconds only, times its devices."""
    return gpus * max(0, int(ended - began + _SLACK))


def credits_of(gpu_seconds: int) -> float:
    """As people read it, to a hundredth of a credit, rounded down."""
    return gpu_seconds * 100 // GPU_SECONDS / 100


def next_due(every: Every, after: float) -> float:
    """The first moment later than `after` (unix seconds) at which such a grant is due."""
    moment = datetime.datetime.fromtimestamp(after, datetime.UTC)
    hour = moment.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    following = {
        Every.HOUR: hour + datetime.timedelta(hours=1),
        Every.DAY: day + datetime.timedelta(days=1),
        Every.WEEK: day + datetime.timedelta(days=7 - day.weekday()),
        Every.MONTH: (day.replace(day=1) + datetime.timedelta(days=32)).replace(day=1),
    }
    return following[every].timestamp()


def topped_up(balance: int, amount: int, ceiling: int | None) -> int:
    """What a repeated grant really adds: never beyond the ceiling, and never less than nothing. All in GPU-seconds."""
    return amount if ceiling is None else max(0, min(amount, ceiling - balance))
