"""What the boxes of a node use now, measured beside the heartbeat: an engine that is slow to answer holds up no lease."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from nsml_worker.box import Box, BoxId
from nsml_worker.contract import Use

log = structlog.get_logger()


@dataclass(frozen=True)
class Spent:
    """What a box holds and has used: bytes of memory now, seconds of processors since its start."""

    memory: int
    cpu_seconds: float


@dataclass(frozen=True)
class _Sample:
    at: float
    spent: Spent
    cpu: float | None  # processors busy since the sample before


class Gauge:
    """Looks at every box once each time it is asked; what it found last is there at once."""

    def __init__(self, measure: Callable[[Box], Spent | None], clock: Callable[[], float] = time.monotonic) -> None:
        """`measure` may be slow, and may raise."""
        self._measure = measure
        self._clock = clock
        self._asked = threading.Event()
        self._over = False
        self._boxes: Sequence[Box] = ()
        self._samples: dict[BoxId, _Sample] = {}

    def start(self) -> None:
        """Begin, in a thread of its own."""
        threading.Thread(target=self._go, name="gauge", daemon=True).start()

    def stop(self) -> None:
        """Measure nothing more. Does not wait for what is under way."""
        self._over = True
        self._asked.set()

    def ask(self, boxes: Sequence[Box]) -> None:
        """Look at these boxes soon."""
        self._boxes = boxes
        self._asked.set()

    def use_of(self, box: BoxId) -> Use:
        """What was found last; of a box that nobody looked at yet nothing is known."""
        sample = self._samples.get(box)
        return Use() if sample is None else Use(memory=sample.spent.memory, cpu=sample.cpu)

    def look(self) -> None:
        """Measure once. Boxes that were not asked for are forgotten."""
        self._samples = {box.id: sample for box in self._boxes if (sample := self._look_at(box)) is not None}

    def _go(self) -> None:
        while True:
            self._asked.wait()
            self._asked.clear()
            if self._over:
                return
            self.look()

    def _look_at(self, box: Box) -> _Sample | None:
        try:
            spent = self._measure(box)
        except Exception as error:  # a sample that is missing harms nobody
            log.info("not_measured", box=str(box.id), said=str(error))
            return None
        return None if spent is None else _follow(self._samples.get(box.id), spent, self._clock())


def _follow(before: _Sample | None, spent: Spent, now: float) -> _Sample:
    if before is None or now <= before.at:
        return _Sample(now, spent, None)
    busy = (spent.cpu_seconds - before.spent.cpu_seconds) / (now - before.at)
    return _Sample(now, spent, max(0.0, round(busy, 2)))
