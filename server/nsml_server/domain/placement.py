"""Which waiting run goes where, and what the others are told. Pure: the same view gives the same answer.

Runs are looked at in the order of domain.line. The first of each number of GPUs that does not fit now keeps what is free on
the machine where it fits soonest, so that smaller runs behind it cannot starve it, and on one more machine for each hour that
this was in vain; what others have is not touched, and the rest of the machines goes on serving the line. What has been looked
at in vain is not looked at again: rooms only shrink while a decision is made, so runs of a shape that did not fit once are
passed over.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nsml_server.domain.capacity import NodeView, Shape, Waiting
from nsml_server.domain.line import Line, turn_of
from nsml_server.domain.rooms import Room
from nsml_server.domain.shortage import explain, ordinal

# Seconds for which room is kept in vain before it is kept on one machine more.
PATIENCE = 3600.0


@dataclass(frozen=True)
class Placement:
    """A run gets this node and these devices."""

    run_id: int
    node: str
    gpus: tuple[str, ...]


class Wait(NamedTuple):
    """Why a run waits, for people: "waits for 1 CPU: 2 of 2 are in use; 3rd in line". `position` counts from 1."""

    text: str
    position: int


@dataclass(frozen=True)
class Decision:
    """Where each waiting run goes: either placements or waits hold it. `kept`: those that wait and have room kept for them."""

    placements: tuple[Placement, ...]
    waits: Mapping[int, Wait]
    kept: frozenset[int]


class Cluster:
    """The rooms of the nodes that take runs, and which of them could hold what."""

    def __init__(self, nodes: Iterable[NodeView]) -> None:
        self.rooms = [Room(node) for node in nodes if node.takes_runs]
        self._candidates: dict[Shape, list[Room]] = {}

    def candidates(self, shape: Shape) -> Sequence[Room]:
        """Rooms that could hold such a run if they were empty."""
        found = self._candidates.get(shape)
        if found is None:
            found = self._candidates[shape] = [room for room in self.rooms if room.node.could_hold(shape)]
        return found

    def has_room(self, shape: Shape) -> bool:
        """Whether such a run can start somewhere now."""
        return any(room.fits(shape) for room in self.candidates(shape))

    def choose(self, run: Waiting) -> Room | None:
        """The best room in which it can start now."""
        fitting = (room for room in self.candidates(run.shape) if room.fits(run.shape))
        return min(fitting, key=lambda room: _cost(run, room), default=None)

    def keep(self, run: Waiting) -> bool:
        """Set aside for a run what is free where it fits soonest; False when no room could ever hold it."""
        count = 1 + int(run.in_vain // PATIENCE)
        rooms = heapq.nsmallest(count, self.candidates(run.shape), key=lambda room: room.lack(run.shape))
        for room in rooms:
            room.keep(run.shape)
        return bool(rooms)

    def begin(self, shapes: Iterable[Shape]) -> None:
        """Another decision, for a line with these shapes in it: nothing is set aside yet."""
        wishes = {Shape(False, 0, 1, 0, shape.gpu_model, shape.gpu_driver) for shape in shapes if shape.is_choosy}
        for room in self.rooms:
            room.begin(wishes)


def place(waiting: Iterable[Waiting], nodes: Sequence[NodeView], recent_use: Mapping[int, float]) -> Decision:
    """Gives out what is free. `recent_use` is seconds of use in the recent window by user id; an absent user has none."""
    line, cluster, use = Line(waiting), Cluster(nodes), _with_held(recent_use, nodes)
    texts: dict[Shape, str] = {}
    kept: set[int] = set()

    def note(shape: Shape) -> None:
        texts.setdefault(shape, explain(shape, cluster.candidates(shape), nodes))

    placements = give_out(line, cluster, use, note, kept.add)
    placed = {placement.run_id for placement in placements}
    waits: dict[int, Wait] = {}
    for run in (run for run in line.in_order(use) if run.run_id not in placed):
        if run.shape not in texts:
            note(run.shape)
        position = len(waits) + 1
        waits[run.run_id] = Wait(f"{texts[run.shape]}; {ordinal(position)} in line", position)
    return Decision(tuple(placements), waits, frozenset(kept))


def give_out(
    line: Line,
    cluster: Cluster,
    use: Mapping[int, float],
    note: Callable[[Shape], None] = lambda _: None,
    keep: Callable[[int], None] = lambda _: None,
) -> list[Placement]:
    """Occupies rooms for those who can start, in the line's order; they stay in the line.

    `note` hears of each shape looked at in vain, before anything is kept for it, and `keep` of each run for which something is.
    The cost goes with what is given out and with the number of shapes, not with the length of the line: it ends as soon as no
    shape that waits can start anywhere.
    """
    cluster.begin(line.shapes)
    hopeful = {shape: count for shape, count in line.shapes.items() if cluster.has_room(shape)}
    placements: list[Placement] = []
    failed: set[Shape] = set()
    kept_for: set[tuple[bool, int]] = set()
    for run in line.in_order(use):
        if not any(hopeful.values()):
            break
        shape = run.shape
        if shape in failed:
            continue
        room = cluster.choose(run) if shape in hopeful else None
        if room is not None:
            placements.append(Placement(run.run_id, room.node.name, room.take(shape)))
            hopeful[shape] -= 1
            continue
        note(shape)
        failed.add(shape)
        hopeful.pop(shape, None)
        if hopeful and (shape.scoring, shape.gpus) not in kept_for and cluster.keep(run):
            kept_for.add((shape.scoring, shape.gpus))
            keep(run.run_id)
    return placements


def _with_held(recent_use: Mapping[int, float], nodes: Sequence[NodeView]) -> Mapping[int, float]:
    use = defaultdict(float, recent_use)
    for held in (held for node in nodes for held in node.held):
        use[held.user_id] += turn_of(len(held.gpus))
    return use


def _cost(run: Waiting, room: Room) -> tuple[int, bool, bool, int, int, str]:
    """Smallest is best: devices that others ask for by name are spared, what is there need not be fetched, and the tightest fit
    leaves large gaps whole.
    """
    node = room.node
    return (
        room.wished(run.shape),
        bool(run.image) and run.image not in node.images,
        run.dataset is not None and run.dataset not in node.datasets,
        room.usable_gpus(run.shape) - run.gpus,
        room.free_cpus(run.is_scoring) - run.cpus,
        node.name,
    )
