"""Who is first: a pure function of stored, finite scores. Any order of arrival gives the same board."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from nsml_server.errors import Invalid


class Order(StrEnum):
    """How a board is sorted: `descending` puts the highest score first."""

    ASCENDING = "ascending"
    DESCENDING = "descending"


CUSTOM = "custom"  # the organiser's evaluation.py prints the score

# Each metric with the order that makes the best score first. The worker's scorer computes those that are not custom.
METRICS: Mapping[str, Order] = {
    "accuracy": Order.DESCENDING,
    "f1": Order.DESCENDING,
    "auc": Order.DESCENDING,
    "r2": Order.DESCENDING,
    "mse": Order.ASCENDING,
    "rmse": Order.ASCENDING,
    "mae": Order.ASCENDING,
    "log_loss": Order.ASCENDING,
    CUSTOM: Order.DESCENDING,
}


@dataclass(frozen=True)
class Entry:
    """One scored submission. `at` is when it was submitted, in unix seconds; `id` breaks a tie of times."""

    id: int
    owner: str
    score: float
    at: float


@dataclass(frozen=True)
class Ranked:
    """An entry with its place; equal scores share a place and the next one is skipped: 1, 2, 2, 4."""

    rank: int
    entry: Entry


def check_metric(name: str) -> str:
    """Returns the name of a metric we know; raises Invalid otherwise."""
    if name not in METRICS:
        raise Invalid(f'There is no metric "{name[:40]}".', hint=f"Choose one of {', '.join(sorted(METRICS))}.")
    return name


def order_of(metric: str, asked: str | None) -> Order:
    """The order asked for, or the metric's own when none is.

    Raises:
        Invalid: `asked` is neither ascending nor descending, or the metric is unknown.
    """
    if asked is None:
        return METRICS[check_metric(metric)]
    try:
        return Order(asked)
    except ValueError:
        raise Invalid(f'"{asked[:40]}" is not an order.', hint="Choose ascending or descending.") from None


def is_better(new: float, old: float | None, order: Order) -> bool:
    """Whether `new` beats `old`. A score that is not finite beats nothing; an equal one does not beat."""
    if not math.isfinite(new):
        return False
    if old is None or not math.isfinite(old):
        return True
    return new > old if order is Order.DESCENDING else new < old


def best_of(old: Entry | None, new: Entry, order: Order) -> Entry | None:
    """The one of two that goes on the board; of equal scores the one submitted earlier. None when neither can."""
    candidates = [entry for entry in (old, new) if entry is not None and math.isfinite(entry.score)]
    return min(candidates, key=lambda entry: _place(entry, order), default=None)


def bests(entries: Iterable[Entry], order: Order) -> list[Entry]:
    """The best entry of each owner, in no promised order."""
    kept: dict[str, Entry] = {}
    for entry in entries:
        best = best_of(kept.get(entry.owner), entry, order)
        if best is not None:
            kept[entry.owner] = best
    return list(kept.values())


def rank(entries: Iterable[Entry], order: Order) -> list[Ranked]:
    """All entries with a finite score, best first, of equal ones the earlier first."""
    ranked: list[Ranked] = []
    finite = (entry for entry in entries if math.isfinite(entry.score))
    for index, entry in enumerate(sorted(finite, key=lambda entry: _place(entry, order)), start=1):
        shares = bool(ranked) and ranked[-1].entry.score == entry.score
        ranked.append(Ranked(ranked[-1].rank if shares else index, entry))
    return ranked


def _place(entry: Entry, order: Order) -> tuple[float, float, int]:
    return (-entry.score if order is Order.DESCENDING else entry.score, entry.at, entry.id)
