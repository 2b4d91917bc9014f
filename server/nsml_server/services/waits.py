"""Why each run in the line waits and how far it is from the front, as it was when this server last looked.

Kept in memory and not in rows: each place that is given out moves everybody behind it, and every server looks for itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from nsml_server.domain.placement import Wait

EXACT = 100  # places told one by one; behind them, whoever follows is told of each hundred


class Waits:
    """What is told to those who wait; replaced as a whole, so that readers in other threads see one moment."""

    def __init__(self) -> None:
        self._told: Mapping[int, Wait] = {}

    def of(self, run_id: int) -> Wait | None:
        """None for a run that was not in the line when it was looked at."""
        return self._told.get(run_id)

    def replace(self, waits: Mapping[int, Wait]) -> list[int]:
        """Tell this from now on. Returns whose followers should look again."""
        before, self._told = self._told, waits
        return [run_id for run_id, wait in waits.items() if _is_news(before.get(run_id), wait)]


def _is_news(before: Wait | None, now: Wait) -> bool:
    return before is None or _rounded(before.position) != _rounded(now.position)


def _rounded(position: int) -> int:
    return position if position <= EXACT else -(-position // EXACT) * EXACT
