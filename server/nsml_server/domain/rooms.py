"""What is left on each node while places are being given out."""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import cached_property

from nsml_server.domain.capacity import SCORING_LANE, Held, NodeView, Shape, is_scoring, is_suitable
from nsml_server.domain.devices import Gpu
from nsml_worker.contract import RunKind


class Room:
    """What is left on one node. What is `kept` is set aside for runs ahead in line.

    Asked millions of times where many wait, so what is free is kept as plain numbers, brought up to date at each change.
    """

    def __init__(self, node: NodeView) -> None:
        self.node = node
        taken = {gpu for held in node.held for gpu in held.gpus}
        self._free = [gpu for gpu in node.gpus if gpu.uuid not in taken]
        self.kept: set[str] = set()  # devices
        self.kept_cpus = self.kept_memory = 0
        self._wishes: dict[str, int] = {}  # how many of the wishes in the line each device meets
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
        return len(self._suitable(shape)) if shape.is_choosy else self._gpus

    def kept_gpus(self, shape: Shape) -> int:
        """Free devices of the wanted kind that are kept for a run ahead."""
        return len(self.kept.intersection(gpu.uuid for gpu in self.node.suitable_gpus(shape)))

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
            and (not shape.is_choosy or shape.gpus <= len(self._suitable(shape)))
        )

    def lack(self, shape: Shape) -> tuple[bool, int, int, int, float, str]:
        """How far such a run is from fitting; in the room with the least it fits soonest.

        Behind a program that ends only when it is told to, nobody knows when that is: such rooms come last. Among those in
        which as much is missing, the one where it is surely there first.
        """
        gpus, cpus = shape.gpus - self.usable_gpus(shape), shape.cpus - self.free_cpus(shape.scoring)
        memory = shape.memory - self._memory
        missing = (gpus if gpus > 0 else 0, cpus if cpus > 0 else 0, memory if memory > 0 else 0)
        endless, until = self._fits_by(shape, *missing) if self.node.held else (False, math.inf)
        return endless, *missing, until, self.node.name

    def wished(self, shape: Shape) -> int:
        """How many wishes of others the devices meet that such a run would take."""
        return sum(self._wishes.get(gpu.uuid, 0) for gpu in self._suitable(shape)[: shape.gpus]) if self._wishes else 0

    def take(self, shape: Shape) -> tuple[str, ...]:
        """Occupies the room for a run that fits; returns its devices: those that the fewest wishes mean, in the node's order."""
        taken = tuple(gpu.uuid for gpu in self._suitable(shape)[: shape.gpus])
        self._occupy(shape, taken)
        return taken

    def take_these(self, shape: Shape, uuids: Collection[str]) -> bool:
        """Occupies the room with devices chosen before; False when they, or the rest, are not there any more."""
        there = self.fits(shape) and {gpu.uuid for gpu in self._usable}.issuperset(uuids)
        if there:
            self._occupy(shape, uuids)
        return there

    def give_back(self, shape: Shape, uuids: Collection[str]) -> None:
        """Inverse of `take`, for those who keep rooms from one decision to the next."""
        free = {gpu.uuid for gpu in self._free}.union(uuids)
        self._free = [gpu for gpu in self.node.gpus if gpu.uuid in free]
        self._use(shape, -1)

    def keep(self, shape: Shape) -> None:
        """Sets aside what is free of a run's needs, so that it only gains while it waits."""
        self.kept.update(gpu.uuid for gpu in self._suitable(shape)[: shape.gpus])
        self.kept_cpus += min(shape.cpus, self._cpus)
        self.kept_memory += min(shape.memory, self._memory)
        self._count()

    def begin(self, wishes: Collection[Shape]) -> None:
        """Another decision, for a line with these wishes in it: nothing is set aside yet."""
        met = {gpu.uuid: sum(is_suitable(gpu, wish) for wish in wishes) for gpu in self.node.gpus} if wishes else {}
        if met != self._wishes or self.kept or self.kept_cpus or self.kept_memory:
            self._wishes = met
            self.kept, self.kept_cpus, self.kept_memory = set(), 0, 0
            self._count()

    @cached_property
    def _holders(self) -> list[Held]:
        """Who ends first comes first."""
        return sorted(self.node.held, key=_end_of)

    def _suitable(self, shape: Shape) -> list[Gpu]:
        if not shape.is_choosy:
            return self._usable
        return [gpu for gpu in self._usable if is_suitable(gpu, shape)]

    def _fits_by(self, shape: Shape, gpus: int, cpus: int, memory: int) -> tuple[bool, float]:
        """Whether what is missing waits for a program without an end, and the moment at which it is there at the latest."""
        suitable = {gpu.uuid for gpu in self.node.suitable_gpus(shape)} if shape.is_choosy else None
        end = (False, 0.0)
        for held in self._holders:
            if gpus <= 0 and cpus <= 0 and memory <= 0:
                return end
            end = _end_of(held)
            gpus -= len(held.gpus if suitable is None else suitable.intersection(held.gpus))
            cpus, memory = cpus - held.cpus, memory - (held.memory or 0)
        return end if gpus <= 0 and cpus <= 0 and memory <= 0 else (False, math.inf)

    def _occupy(self, shape: Shape, uuids: Collection[str]) -> None:
        self._free = [gpu for gpu in self._free if gpu.uuid not in uuids]
        self._use(shape, 1)

    def _use(self, shape: Shape, times: int) -> None:
        if shape.scoring:
            self._scoring_cpus += times * shape.cpus
        else:
            self._training_cpus += times * shape.cpus
        self._used_memory += times * shape.memory
        self._count()

    def _count(self) -> None:
        beyond_lane = max(0, self._scoring_cpus - SCORING_LANE)
        self._cpus = max(0, self.node.cpus - self._training_cpus - beyond_lane - self.kept_cpus)
        self._lane = max(0, SCORING_LANE - self._scoring_cpus)
        self._usable = [gpu for gpu in self._free if gpu.uuid not in self.kept] if self.kept else list(self._free)
        if self._wishes:
            self._usable.sort(key=lambda gpu: self._wishes[gpu.uuid])
        self._gpus = len(self._usable)
        self._memory = max(0, self.node.memory - self._used_memory - self.kept_memory)


def _end_of(held: Held) -> tuple[bool, float]:
    return held.kind is RunKind.SERVE, held.until
