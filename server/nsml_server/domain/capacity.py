"""What runs ask for, what nodes have, and what is left of it."""

from __future__ import annotations

from collections.abc import Collection
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


@dataclass(frozen=True)
class Waiting:
    """A run in the line. `memory` in bytes, None for no claim; `queued_at` in unix seconds.

    A machine must have the `runtime`, must run boxes with the `runner` and must be the `node`, where they are named; one that
    holds the `image` (a Docker reference, or the key of an environment) and the `dataset` is better than one that has to
    fetch them.
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

    @property
    def is_scoring(self) -> bool:
        """Whether it is one of the two halves of a submit."""
        return is_scoring(self.kind)

    @cached_property
    def shape(self) -> Shape:
        """What decides where it can go."""
        size = (self.is_scoring, self.cpus, self.gpus, self.memory or 0)
        return Shape(*size, self.gpu_model, self.gpu_driver, self.node, self.runtime, self.runner)


@dataclass(frozen=True)
class Held:
    """What a run that is placed, preparing, running, paused or stopping occupies on a node."""

    user_id: int
    kind: RunKind
    cpus: int
    gpus: tuple[str, ...] = ()
    memory: int | None = None


@dataclass(frozen=True)
class NodeView:
    """A node as placement sees it. `gpus` in the node's order; `memory` in bytes; a drained one gets nothing new."""

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

    @property
    def takes_runs(self) -> bool:
        """Whether anything may go there now."""
        return self.connected and not self.drained

    def is_meant(self, shape: Shape) -> bool:
        """Whether it is of the kind that is asked for, whatever its size."""
        return (
            shape.node in ("", self.name)
            and (not shape.runtime or shape.runtime in self.runtimes)
            and shape.runner in ("", self.runner)
        )

    def suitable_gpus(self, shape: Shape) -> tuple[Gpu, ...]:
        """Its devices that are of the model and the driver asked for."""
        if not shape.gpu_model and not shape.gpu_driver:
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


class Room:
    """What is left on one node while places are being given out. `kept_…` is set aside for a run ahead in line.

    Asked millions of times where many wait, so what is free is kept as plain numbers, brought up to date at each change.
    """

    def __init__(self, node: NodeView) -> None:
        self.node = node
        taken = {gpu for held in node.held for gpu in held.gpus}
        self.free_gpus = [gpu for gpu in node.gpus if gpu.uuid not in taken]
        self.kept_cpus = self.kept_gpus = self.kept_memory = 0
        self._training_cpus = sum(held.cpus for held in node.held if not is_scoring(held.kind))
        self._scoring_cpus = sum(held.cpus for held in node.held if is_scoring(held.kind))
        self._used_memory = sum(held.memory or 0 for held in node.held)
        self._count()

    def total_cpus(self, scoring: bool) -> int:
        """CPUs of the node that such a run may use."""
        return self.node.cpus + (SCORING_LANE if scoring else 0)

    def free_cpus(self, scoring: bool) -> int:
        """CPUs left for such a run; the lane is used up by scoring runs before they take a CPU of the node."""
        return self._cpus + self._lane if scoring else self._cpus

    def usable_gpus(self, shape: Shape) -> int:
        """Free devices of the wanted kind that are not kept for a run ahead."""
        if shape.gpu_model or shape.gpu_driver:
            return len(self._suitable(shape)) - self.kept_gpus
        return self._gpus

    @property
    def free_memory(self) -> int:
        """Bytes left."""
        return self._memory

    def fits(self, shape: Shape) -> bool:
        """Whether a run that this node could hold can start here now."""
        return (
            shape.gpus <= self._gpus
            and shape.cpus <= (self._cpus + self._lane if shape.scoring else self._cpus)
            and shape.memory <= self._memory
            and (not (shape.gpu_model or shape.gpu_driver) or shape.gpus <= self.usable_gpus(shape))
        )

    def lack(self, shape: Shape) -> tuple[int, int, int, str]:
        """How much is missing for such a run; the room with the smallest is where it fits soonest."""
        gpus, cpus = shape.gpus - self.usable_gpus(shape), shape.cpus - self.free_cpus(shape.scoring)
        memory = shape.memory - self._memory
        return gpus if gpus > 0 else 0, cpus if cpus > 0 else 0, memory if memory > 0 else 0, self.node.name

    def take(self, shape: Shape) -> tuple[str, ...]:
        """Occupies the room for a run that fits; returns its devices, the first free ones that are suitable."""
        taken = self._suitable(shape)[: shape.gpus]
        self.free_gpus = [gpu for gpu in self.free_gpus if gpu not in taken]
        self._occupy(shape.scoring, shape.cpus, shape.memory)
        return tuple(gpu.uuid for gpu in taken)

    def give_back(self, shape: Shape, uuids: Collection[str]) -> None:
        """Inverse of `take`, for those who keep rooms from one decision to the next."""
        free = {gpu.uuid for gpu in self.free_gpus}.union(uuids)
        self.free_gpus = [gpu for gpu in self.node.gpus if gpu.uuid in free]
        self._occupy(shape.scoring, -shape.cpus, -shape.memory)

    def keep(self, shape: Shape) -> None:
        """Sets aside what is free of a run's needs, so that it only gains while it waits."""
        self.kept_gpus += max(0, min(shape.gpus, self.usable_gpus(shape)))
        self.kept_cpus += min(shape.cpus, self._cpus)
        self.kept_memory += min(shape.memory, self._memory)
        self._count()

    def forget_kept(self) -> None:
        """Nothing is set aside any more."""
        if self.kept_cpus or self.kept_gpus or self.kept_memory:
            self.kept_cpus = self.kept_gpus = self.kept_memory = 0
            self._count()

    def _suitable(self, shape: Shape) -> list[Gpu]:
        if not shape.gpu_model and not shape.gpu_driver:
            return self.free_gpus
        return [gpu for gpu in self.free_gpus if is_suitable(gpu, shape)]

    def _occupy(self, scoring: bool, cpus: int, memory: int) -> None:
        if scoring:
            self._scoring_cpus += cpus
        else:
            self._training_cpus += cpus
        self._used_memory += memory
        self._count()

    def _count(self) -> None:
        beyond_lane = max(0, self._scoring_cpus - SCORING_LANE)
        self._cpus = max(0, self.node.cpus - self._training_cpus - beyond_lane - self.kept_cpus)
        self._lane = max(0, SCORING_LANE - self._scoring_cpus)
        self._gpus = len(self.free_gpus) - self.kept_gpus
        self._memory = max(0, self.node.memory - self._used_memory - self.kept_memory)
