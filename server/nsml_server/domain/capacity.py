"""What runs ask for, what nodes have, and what is left of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from nsml_worker.contract import RunKind

# CPUs on every node, beyond its own, for the runs of a submit only: a submit never waits behind a training.
SCORING_LANE = 1


@dataclass(frozen=True)
class Waiting:
    """A run in the line. `memory` in bytes, None for no claim; `queued_at` in unix seconds.

    `runtime`: only nodes with it among their images will do; None: any.
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
    runtime: str | None = None

    @property
    def is_scoring(self) -> bool:
        """Whether it is one of the two halves of a submit."""
        return is_scoring(self.kind)


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
    """A node as placement sees it. `gpus` are device ids in the node's order; `memory` in bytes."""

    name: str
    cpus: int
    memory: int
    gpus: tuple[str, ...] = ()
    held: tuple[Held, ...] = ()
    images: frozenset[str] = frozenset()
    datasets: frozenset[str] = frozenset()
    connected: bool = True

    def could_hold(self, run: Waiting) -> bool:
        """Whether it fits on this node when nothing else runs there."""
        fits = run.cpus <= self.cpus and run.gpus <= len(self.gpus) and (run.memory or 0) <= self.memory
        return fits and self.offers(run)

    def offers(self, run: Waiting) -> bool:
        """Whether it has what the run's program runs in."""
        return run.runtime is None or run.runtime in self.images


def is_scoring(kind: RunKind) -> bool:
    """Whether runs of this kind are one of the two halves of a submit."""
    return kind in (RunKind.PREDICT, RunKind.SCORE)


@dataclass
class Room:
    """What is left on one node while places are being given out. `kept_…` is set aside for a run ahead in line."""

    node: NodeView
    training_cpus: int = 0
    scoring_cpus: int = 0
    used_memory: int = 0
    free_gpus: list[str] = field(default_factory=list)
    kept_cpus: int = 0
    kept_gpus: int = 0
    kept_memory: int = 0

    @classmethod
    def of(cls, node: NodeView) -> Room:
        """The room left by what the node holds."""
        room = cls(node, free_gpus=list(node.gpus))
        for held in node.held:
            room._occupy(held.kind, held.cpus, held.memory)
            room.free_gpus = [gpu for gpu in room.free_gpus if gpu not in held.gpus]
        return room

    def total_cpus(self, scoring: bool) -> int:
        """CPUs of the node that such a run may use."""
        return self.node.cpus + (SCORING_LANE if scoring else 0)

    def free_cpus(self, scoring: bool) -> int:
        """CPUs left for such a run; the lane is used up by scoring runs before they take a CPU of the node."""
        beyond_lane = max(0, self.scoring_cpus - SCORING_LANE)
        free = max(0, self.node.cpus - self.training_cpus - beyond_lane - self.kept_cpus)
        return free + (max(0, SCORING_LANE - self.scoring_cpus) if scoring else 0)

    @property
    def usable_gpus(self) -> int:
        """Free devices that are not kept for a run ahead."""
        return len(self.free_gpus) - self.kept_gpus

    @property
    def free_memory(self) -> int:
        """Bytes left."""
        return max(0, self.node.memory - self.used_memory - self.kept_memory)

    def fits(self, run: Waiting) -> bool:
        """Whether the run can start here now."""
        return (
            self.node.offers(run)
            and run.cpus <= self.free_cpus(run.is_scoring)
            and run.gpus <= self.usable_gpus
            and (run.memory or 0) <= self.free_memory
        )

    def take(self, run: Waiting) -> tuple[str, ...]:
        """Occupies the room for a run that fits; returns its devices, the node's first free ones."""
        self._occupy(run.kind, run.cpus, run.memory)
        taken, self.free_gpus = self.free_gpus[: run.gpus], self.free_gpus[run.gpus :]
        return tuple(taken)

    def keep(self, run: Waiting) -> None:
        """Sets aside what is free of the run's needs, so that it only gains while it waits."""
        self.kept_cpus += min(run.cpus, self.free_cpus(scoring=False))
        self.kept_gpus += min(run.gpus, self.usable_gpus)
        self.kept_memory += min(run.memory or 0, self.free_memory)

    def _occupy(self, kind: RunKind, cpus: int, memory: int | None) -> None:
        if is_scoring(kind):
            self.scoring_cpus += cpus
        else:
            self.training_cpus += cpus
        self.used_memory += memory or 0
