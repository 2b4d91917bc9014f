"""The order in which waiting runs are looked at: runs of a submit first, then the user with the least recent use."""

from __future__ import annotations

import heapq
from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from nsml_server.domain.capacity import Shape, Waiting

# Seconds of use counted for a run that holds or gets a place and has used nothing yet, times its devices: users alternate.
TURN = 60.0


def turn_of(gpus: int) -> float:
    """What one place with so many devices counts for, at first."""
    return TURN * max(1, gpus)


class Line:
    """Everything that waits. Runs of one user keep their order; among users the one with the least recent use is next."""

    def __init__(self, waiting: Iterable[Waiting] = ()) -> None:
        self.shapes: Counter[Shape] = Counter()  # how many runs of each wait
        self._scoring: dict[int, list[Waiting]] = defaultdict(list)  # by user, the oldest first
        self._training: dict[int, list[Waiting]] = defaultdict(list)
        for run in sorted(waiting, key=_age):
            self._queues(run)[run.user_id].append(run)
            self.shapes[run.shape] += 1

    def __len__(self) -> int:
        return self.shapes.total()

    def add(self, run: Waiting) -> None:
        """One more waits."""
        insort(self._queues(run)[run.user_id], run, key=_age)
        self.shapes[run.shape] += 1

    def remove(self, run: Waiting) -> None:
        """It waits no more."""
        queues = self._queues(run)
        queues[run.user_id].remove(run)
        if not queues[run.user_id]:
            del queues[run.user_id]
        self.shapes[run.shape] -= 1
        if not self.shapes[run.shape]:
            del self.shapes[run.shape]

    def in_order(self, use: Mapping[int, float]) -> Iterator[Waiting]:
        """From the first to the last. `use` is seconds of recent use by user id; the line must not change meanwhile."""
        yield from _by_turns(self._scoring, use)
        yield from _by_turns(self._training, use)

    def _queues(self, run: Waiting) -> dict[int, list[Waiting]]:
        return self._scoring if run.is_scoring else self._training


def _by_turns(queues: Mapping[int, Sequence[Waiting]], use: Mapping[int, float]) -> Iterator[Waiting]:
    heads = [(use.get(user, 0.0), *_age(queue[0]), user, 0) for user, queue in queues.items()]
    heapq.heapify(heads)
    while heads:
        used, _, _, user, index = heads[0]
        queue = queues[user]
        run = queue[index]
        yield run
        if index + 1 < len(queue):
            heapq.heapreplace(heads, (used + turn_of(run.gpus), *_age(queue[index + 1]), user, index + 1))
        else:
            heapq.heappop(heads)


def _age(run: Waiting) -> tuple[float, int]:
    return run.queued_at, run.run_id
