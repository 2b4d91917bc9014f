"""Which waiting run goes where, and what the others are told. Pure: the same view gives the same answer.

The line: runs of a submit first, then the user with the least recent use, then the one who has waited longest. A run that
does not fit now keeps what is free on the node where it lacks least, so that smaller runs behind it cannot starve it.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nsml_server.domain.capacity import NodeView, Room, Waiting

# Seconds of use counted for a run that holds or gets a place and has used nothing yet, times its devices: users alternate.
TURN = 60.0


@dataclass(frozen=True)
class Placement:
    """A run gets this node and these devices."""

    run_id: int
    node: str
    gpus: tuple[str, ...]


@dataclass(frozen=True)
class Wait:
    """Why a run waits, for people: "waits for 1 CPU: 2 of 2 are in use; 3rd in line". `position` counts from 1."""

    text: str
    position: int


@dataclass(frozen=True)
class Decision:
    """Where each waiting run goes: exactly one of placed, waits and refused holds it."""

    placements: tuple[Placement, ...]
    waits: Mapping[int, Wait]
    refused: Mapping[int, str]


def place(waiting: Iterable[Waiting], nodes: Sequence[NodeView], recent_use: Mapping[int, float]) -> Decision:
    """Gives out what is free. `recent_use` is seconds of use in the recent window by user id; an absent user has none."""
    placements: list[Placement] = []
    waits: dict[int, Wait] = {}
    refused: dict[int, str] = {}
    rooms = [Room.of(node) for node in nodes if node.connected]
    for run in _in_line(waiting, _with_held(recent_use, nodes)):
        never = refusal(run, nodes)
        if never:
            refused[run.run_id] = never
            continue
        room = min((room for room in rooms if room.fits(run)), key=lambda room: _cost(run, room), default=None)
        if room:
            placements.append(Placement(run.run_id, room.node.name, room.take(run)))
            continue
        position = len(waits) + 1
        waits[run.run_id] = Wait(f"{_why(run, rooms, nodes)}; {_ordinal(position)} in line", position)
        _keep(run, rooms)
    return Decision(tuple(placements), waits, refused)


def refusal(run: Waiting, nodes: Sequence[NodeView]) -> str | None:
    """Why no node can ever hold the run, with the nearest request that one could; None when one can.

    Nodes that are not connected count: they may come back. Without any node nothing is refused.
    """
    if not nodes or any(node.could_hold(run) for node in nodes):
        return None
    nearest = min((node for node in nodes if node.offers(run)), key=lambda node: _lost(run, node), default=None)
    if nearest is None:
        return f"it runs in {run.runtime}, which no machine has any more"
    memory = None if run.memory is None else min(run.memory, nearest.memory)
    asked = _shape(run.gpus, run.cpus, run.memory)
    fits = _shape(min(run.gpus, len(nearest.gpus)), min(run.cpus, nearest.cpus), memory)
    return f"it asks for {asked} on one machine, and the largest request that fits is {fits}"


def _in_line(waiting: Iterable[Waiting], use: Mapping[int, float]) -> Iterator[Waiting]:
    runs = sorted(waiting, key=lambda run: (run.queued_at, run.run_id))
    yield from _by_turns([run for run in runs if run.is_scoring], use)
    yield from _by_turns([run for run in runs if not run.is_scoring], use)


def _by_turns(runs: Sequence[Waiting], use: Mapping[int, float]) -> Iterator[Waiting]:
    queues: dict[int, deque[Waiting]] = defaultdict(deque)
    for run in runs:
        queues[run.user_id].append(run)
    heads = [(use.get(user, 0.0), queue[0].queued_at, queue[0].run_id, user) for user, queue in queues.items()]
    heapq.heapify(heads)
    while heads:
        used, _, _, user = heapq.heappop(heads)
        run = queues[user].popleft()
        yield run
        if queues[user]:
            following = queues[user][0]
            heapq.heappush(heads, (used + TURN * max(1, run.gpus), following.queued_at, following.run_id, user))


def _with_held(recent_use: Mapping[int, float], nodes: Sequence[NodeView]) -> Mapping[int, float]:
    use = defaultdict(float, recent_use)
    for held in (held for node in nodes for held in node.held):
        use[held.user_id] += TURN * max(1, len(held.gpus))
    return use


def _cost(run: Waiting, room: Room) -> tuple[bool, bool, int, int, str]:
    """Smallest is best: what must be fetched first, then the tightest fit, so that large gaps stay whole."""
    node = room.node
    return (
        bool(run.image) and run.image not in node.images,
        run.dataset is not None and run.dataset not in node.datasets,
        room.usable_gpus - run.gpus,
        room.free_cpus(run.is_scoring) - run.cpus,
        node.name,
    )


def _keep(run: Waiting, rooms: Sequence[Room]) -> None:
    candidates = [room for room in rooms if room.node.could_hold(run)]
    room = min(candidates, key=lambda room: _lack(run, room), default=None)
    if room:
        room.keep(run)


def _lack(run: Waiting, room: Room) -> tuple[int, int, int, str]:
    return (
        max(0, run.gpus - room.usable_gpus),
        max(0, run.cpus - room.free_cpus(run.is_scoring)),
        max(0, (run.memory or 0) - room.free_memory),
        room.node.name,
    )


def _lost(run: Waiting, node: NodeView) -> tuple[int, int, int, str]:
    """How much of its request the run would have to give up on this node."""
    return (
        max(0, run.gpus - len(node.gpus)),
        max(0, run.cpus - node.cpus),
        max(0, (run.memory or 0) - node.memory),
        node.name,
    )


def _why(run: Waiting, rooms: Sequence[Room], nodes: Sequence[NodeView]) -> str:
    candidates = [room for room in rooms if room.node.could_hold(run)]
    if not candidates:
        away = sorted(node.name for node in nodes if node.could_hold(run))
        return f"waits for {' or '.join(away)}, not connected now" if away else "waits for a worker: none is connected"
    scoring = run.is_scoring
    lacks = (
        _lacking("GPU", run.gpus, [(len(r.node.gpus), r.usable_gpus, r.kept_gpus) for r in candidates]),
        _lacking("CPU", run.cpus, [(r.total_cpus(scoring), r.free_cpus(scoring), r.kept_cpus) for r in candidates]),
        _lacking("byte", run.memory or 0, [(r.node.memory, r.free_memory, r.kept_memory) for r in candidates]),
    )
    shape = _shape(run.gpus, run.cpus, run.memory)
    return next(filter(None, lacks), f"waits for {shape} on one machine: each is free, but not on the same one")


def _lacking(unit: str, need: int, rooms: Sequence[tuple[int, int, int]]) -> str | None:
    """The sentence when no room has enough of the unit. Each room is its (total, free, kept for a run ahead)."""
    if any(need <= free for _, free, _ in rooms):
        return None
    total, free, kept = (sum(column) for column in zip(*rooms, strict=True))
    one = " on one machine" if need <= free else ""
    text = f"waits for {_amount(unit, need)}{one}: {_part(unit, total - free - kept, total)} in use"
    return text + (f" and {_amount(unit, kept)} kept for runs ahead" if kept else "")


def _shape(gpus: int, cpus: int, memory: int | None) -> str:
    parts = [_amount("GPU", gpus)] if gpus else []
    parts.append(_amount("CPU", cpus))
    if memory is not None:
        parts.append(_amount("byte", memory))
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]


def _amount(unit: str, count: int) -> str:
    if unit == "byte":
        return f"{count / 2**30:.1f} GiB of memory"
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _part(unit: str, used: int, total: int) -> str:
    if unit == "byte":
        return f"{used / 2**30:.1f} of {total / 2**30:.1f} GiB are"
    return f"{used} of {total} {'is' if used == 1 else 'are'}"


def _ordinal(number: int) -> str:
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
