"""What a node offers and what its boxes use now, measured beside the heartbeat: an engine or a driver that is slow to answer
holds up no lease.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from nsml_worker.box import Box, BoxId
from nsml_worker.contract import Capacity, Use

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
    gpus: Use  # how busy the box's devices are, and their memory


class Gauge:
    """Looks at the node and every box once each time it is asked; what it found last is there at once."""

    def __init__(
        self,
        measure: Callable[[Box], Spent | None],
        look_at_gpus: Callable[[Sequence[str]], Use] = lambda _: Use(),
        look_at_node: Callable[[], Capacity | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`look_at_gpus` is given the devices of a box, `look_at_node` tells what the node offers. All may be slow, and may
        raise.
        """
        self._measure = measure
        self._look_at_gpus = look_at_gpus
        self._look_at_node = look_at_node
        self._clock = clock
        self._asked = threading.Event()
        self._over = False
        self._boxes: Sequence[Box] = ()
        self._samples: dict[BoxId, _Sample] = {}
        self._offer: Capacity | None = None

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
        if sample is None:
            return Use()
        return dataclasses.replace(sample.gpus, memory=sample.spent.memory, cpu=sample.cpu)

    @property
    def offer(self) -> Capacity | None:
        """What the node offered when it was looked at last; None as long as that is not known."""
        return self._offer

    def look(self) -> None:
        """Measure once. Boxes that were not asked for are forgotten."""
        try:
            self._offer = self._look_at_node()
        except Exception:  # as it was before: whoever is told a change must be sure of it
            log.exception("node_not_measured")
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
            gpus = self._look_at_gpus(box.spec.limits.gpus) if spent is not None else Use()
        except Exception as error:  # a sample that is missing harms nobody
            log.info("not_measured", box=str(box.id), said=str(error))
            return None
        return None if spent is None else _follow(self._samples.get(box.id), spent, gpus, self._clock())


def _follow(before: _Sample | None, spent: Spent, gpus: Use, now: float) -> _Sample:
    if before is None or now <= before.at:
        return _Sample(now, spent, None, gpus)
    busy = (spent.cpu_seconds - before.spent.cpu_seconds) / (now - before.at)
    return _Sample(now, spent, max(0.0, round(busy, 2)), gpus)
