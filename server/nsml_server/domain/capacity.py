"""What runs ask for, and what nodes have. What is left of it is in rooms.py."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from nsml_server.domain.devices import Gpu, matches_driver, matches_model
from nsml_worker.contract import RunKind

# CPUs on every node, beyond its own, for the runs of a submit only: a submit never waits behind a training.
SCORING_LANE = 1


class Shape(NamedTuple):
    """What decides where a run can go at all. Runs of one shape fit in the same places; `memory` in bytes, 0 for no claim."""

    scoring: bool
    cpus: int
    gpus: int
    memory: int
    gpu_model: str = ""
    gpu_driver: str = ""
    node: str = ""
    runtime: str = ""
    runner: str = ""

    @property
    def is_choosy(self) -> bool:
        """Whether not every device will do."""
        return bool(self.gpu_model or self.gpu_driver)


@dataclass(frozen=True)
class Waiting:
    """A run in the line. `memory` in bytes, None for no claim; `queued_at` in unix seconds.

    A machine must have the `runtime`, must run boxes with the `runner` and must be the `node`, where they are named; one that
    holds the `image` (a Docker reference, or the key of an environment) and the `dataset` is better than one that has to
    fetch them. `in_vain`: seconds since room was first kept for it.
    """

    run_id: int
    user_id: int
    kind: RunKind
    cpus: int
    gpus: int
    memory: int | None
    queued_at: float
    image: str = ""
    dataset: str | None = None
    gpu_model: str = ""
    gpu_driver: str = ""
    node: str = ""
    runtime: str = ""
    runner: str = ""
    in_vain: float = 0.0

    @property
    def is_scoring(self) -> bool:
        """Whether it is one of the two halves of a submit."""
        return is_scoring(self.kind)

    @cached_property
    def shape(self) -> Shape:
        """What decides where it can go."""
        size = (self.is_scoring, self.cpus, self.gpus, self.memory or 0)
        wish = (self.gpu_model, self.gpu_driver) if self.gpus else ("", "")
        return Shape(*size, *wish, self.node, self.runtime, self.runner)


@dataclass(frozen=True)
class Held:
    """What a run that is placed, preparing, running, paused or stopping occupies on a node; `until` when it is made to end, in
    unix seconds.
    """

    user_id: int
    kind: RunKind
    cpus: int
    gpus: tuple[str, ...] = ()
    memory: int | None = None
    until: float = math.inf


@dataclass(frozen=True)
class NodeView:
    """A node as placement sees it. `gpus` in the node's order; `memory` in bytes; a drained one gets nothing new, nor does one
    that lately was `deaf` to what it was given.
    """

    name: str
    cpus: int
    memory: int
    gpus: tuple[Gpu, ...] = ()
    held: tuple[Held, ...] = ()
    images: frozenset[str] = frozenset()
    datasets: frozenset[str] = frozenset()
    runtimes: frozenset[str] = frozenset()
    runner: str = ""
    connected: bool = True
    drained: bool = False
    deaf: bool = False

    @property
    def takes_runs(self) -> bool:
        """Whether anything may go there now."""
        return self.connected and not self.drained and not self.deaf

    def is_meant(self, shape: Shape) -> bool:
        """Whether it is of the kind that is asked for, whatever its size."""
        return (
            shape.node in ("", self.name)
            and (not shape.runtime or shape.runtime in self.runtimes)
            and shape.runner in ("", self.runner)
        )

    def suitable_gpus(self, shape: Shape) -> tuple[Gpu, ...]:
        """Its devices that are of the model and the driver asked for."""
        if not shape.is_choosy:
            return self.gpus
        return tuple(gpu for gpu in self.gpus if is_suitable(gpu, shape))

    def could_hold(self, shape: Shape) -> bool:
        """Whether it fits on this node when nothing else runs there."""
        fits = shape.cpus <= self.cpus and shape.memory <= self.memory and self.is_meant(shape)
        return fits and shape.gpus <= len(self.suitable_gpus(shape))


def is_suitable(gpu: Gpu, shape: Shape) -> bool:
    """Whether the device is of the model and the driver asked for."""
    return (not shape.gpu_model or matches_model(shape.gpu_model, gpu.model)) and (
        not shape.gpu_driver or matches_driver(shape.gpu_driver, gpu.driver)
    )


def is_scoring(kind: RunKind) -> bool:
    """Whether runs of this kind are one of the two halves of a submit."""
    return kind in (RunKind.PREDICT, RunKind.SCORE)
