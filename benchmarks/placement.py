"""Who gets the GPUs of 200 machines: our placement against plain first-come-first-served, on the same 10,000 sessions.

`python -m benchmarks.placement` prints what each of the two does to utilisation, waiting and fairness.
"""

import heapq
import random
import time
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.table import Row, compare, take_quantile
from nsml_server.domain.capacity import NodeView, Waiting
from nsml_server.domain.devices import Gpu
from nsml_server.domain.line import Line
from nsml_server.domain.placement import Cluster, Placement, give_out, place
from nsml_server.domain.rooms import Room
from nsml_worker.contract import RunKind

SESSIONS, USERS, SEED = 10_000, 500, 20_170_601
GIB = 2**30
# GPUs, CPUs, memory, and how many machines of this kind there are.
MACHINES = ((8, 64, 512 * GIB, 120), (4, 32, 256 * GIB, 60), (0, 64, 256 * GIB, 20))
# GPUs, CPUs, memory, and how often such a session is asked for.
SHAPES = (
    (0, 4, 8 * GIB, 15),
    (1, 4, 16 * GIB, 30),
    (1, 8, 32 * GIB, 20),
    (2, 8, 64 * GIB, 18),
    (4, 16, 128 * GIB, 12),
    (8, 32, 256 * GIB, 5),
)
MEDIAN, SPREAD = 45 * 60.0, 1.0  # of how long a session lasts: seconds, and sigma of its logarithm
ARRIVAL = 3600.0  # seconds in which everything is asked for
TICK = 1.0  # seconds between two looks of a dispatcher
IMAGES = 12


class Policy(Protocol):
    """Gives out places. It keeps the rooms; who got a place waits no more."""

    rooms: Sequence[Room]

    def add(self, run: Waiting) -> None:
        """One more waits."""

    def decide(self, use: Mapping[int, float]) -> list[tuple[Waiting, Placement]]:
        """Places for those who can start; `use` is GPU-seconds so far by user."""


@dataclass
class Outcome:
    """What one policy made of it. Seconds of simulated time; `decided` is the processor's time for all decisions."""

    waits: list[float] = field(default_factory=list)
    idle: float = 0.0  # share of GPU time that was unused while somebody waited
    jain: float = 0.0
    decided: float = 0.0
    rounds: int = 0

    def quantile(self, share: float) -> float:
        """Minutes that this share of the sessions waited at most."""
        return take_quantile(self.waits, share) / 60


def rows() -> list[Row]:
    """Goals are ratios to first-come-first-served; below 1 we are better."""
    sessions = make_sessions()
    ours, plain = simulate(sessions, Ours()), simulate(sessions, FirstCome())
    print_outcomes({"ours": ours, "first come": plain})
    each, whole = ours.decided * 1e3 / SESSIONS, measure_whole_line(sessions)
    return [
        compare("GPU time unused while somebody waits", 100 * ours.idle, 100 * plain.idle, goal=1, unit="%"),
        compare("wait of a session, p50", ours.quantile(0.5), plain.quantile(0.5), goal=1, unit="min"),
        compare("wait of a session, p99", ours.quantile(0.99), plain.quantile(0.99), goal=None, unit="min"),
        compare("unfairness (1 - Jain index of shares)", 1 - ours.jain, 1 - plain.jain, goal=1, unit=""),
        compare("one place given out, vs first come", each, plain.decided * 1e3 / SESSIONS, goal=None, unit="ms"),
        compare("whole line of 10,000 looked at and explained, vs 1 s", whole, 1000.0, goal=1, unit="ms"),
    ]


def make_nodes() -> list[NodeView]:
    """The machines, each with some of the images."""
    rng, made = random.Random(SEED), []
    for gpus, cpus, memory, count in MACHINES:
        for _ in range(count):
            name = f"node-{len(made):03}"
            images = frozenset(f"image-{number}" for number in rng.sample(range(IMAGES), 4))
            devices = tuple(Gpu(f"{name}/{number}", "P40", 24 * GIB, "418.67") for number in range(gpus))
            made.append(NodeView(name, cpus, memory, devices, images=images))
    return made


def make_sessions() -> list[tuple[Waiting, float]]:
    """Sessions with how long each will last. A few people ask for many at once, most for a few now and then."""
    rng = random.Random(SEED)
    appetite = [1 / (rank + 1) ** 0.8 for rank in range(USERS)]
    weights = [weight for *_, weight in SHAPES]
    made: list[tuple[Waiting, float]] = []
    while len(made) < SESSIONS:
        (user,) = rng.choices(range(USERS), appetite)
        (shape,) = rng.choices(SHAPES, weights)
        at = rng.uniform(0, ARRIVAL)
        for _ in range(min(rng.choice((1, 1, 2, 5, 20)), SESSIONS - len(made))):
            gpus, cpus, memory, _ = shape
            image = f"image-{user % IMAGES}"
            run = Waiting(len(made) + 1, user, RunKind.TRAIN, cpus, gpus, memory, at, image)
            made.append((run, MEDIAN * rng.lognormvariate(0, SPREAD)))
    return sorted(made, key=lambda item: item[0].queued_at)


class Ours:
    """domain.placement, on rooms that are kept from one decision to the next."""

    def __init__(self) -> None:
        self._cluster = Cluster(make_nodes())
        self.rooms: Sequence[Room] = self._cluster.rooms
        self._line = Line()
        self._waiting: dict[int, Waiting] = {}

    def add(self, run: Waiting) -> None:
        """See Policy."""
        self._line.add(run)
        self._waiting[run.run_id] = run

    def decide(self, use: Mapping[int, float]) -> list[tuple[Waiting, Placement]]:
        """See Policy."""
        given = [(self._waiting.pop(one.run_id), one) for one in give_out(self._line, self._cluster, use)]
        for run, _ in given:
            self._line.remove(run)
        return given


class FirstCome:
    """Who came first goes first, to the first machine with room; who cannot start holds up everybody behind."""

    def __init__(self) -> None:
        self.rooms: Sequence[Room] = [Room(node) for node in make_nodes()]
        self._queue: deque[Waiting] = deque()

    def add(self, run: Waiting) -> None:
        """See Policy."""
        self._queue.append(run)

    def decide(self, use: Mapping[int, float]) -> list[tuple[Waiting, Placement]]:
        """See Policy."""
        given = []
        while self._queue:
            run = self._queue[0]
            room = next((room for room in self.rooms if room.fits(run.shape)), None)
            if room is None:
                break
            given.append((self._queue.popleft(), Placement(run.run_id, room.node.name, room.take(run.shape))))
        return given


@dataclass
class World:
    """The simulated clock, what runs, and what everybody has had of the GPUs."""

    now: float = 0.0
    use: dict[int, float] = field(default_factory=lambda: defaultdict(float))  # GPU-seconds by user
    busy: dict[int, int] = field(default_factory=lambda: defaultdict(int))  # GPUs by user now
    ending: list[tuple[float, int, Waiting, Placement]] = field(default_factory=list)

    def advance(self, to: float) -> None:
        """Let time pass until then."""
        for user, gpus in self.busy.items():
            self.use[user] += gpus * (to - self.now)
        self.now = to

    def begin(self, run: Waiting, placement: Placement, seconds: float) -> None:
        """It runs from now on for so long."""
        self.busy[run.user_id] += run.gpus
        heapq.heappush(self.ending, (self.now + seconds, run.run_id, run, placement))

    def end_due(self, rooms: Mapping[str, Room]) -> None:
        """What has run out gives its room back."""
        while self.ending and self.ending[0][0] <= self.now:
            _, _, run, placement = heapq.heappop(self.ending)
            rooms[placement.node].give_back(run.shape, placement.gpus)
            self.busy[run.user_id] -= run.gpus


def simulate(sessions: Sequence[tuple[Waiting, float]], policy: Policy) -> Outcome:
    """Until everything has got a place."""
    world, outcome, rooms = World(), Outcome(), {room.node.name: room for room in policy.rooms}
    coming, lasts = deque(run for run, _ in sessions), {run.run_id: seconds for run, seconds in sessions}
    demand = _demand(sessions)
    half = sum(demand.values()) / 2
    while len(outcome.waits) < len(sessions):
        world.advance(_next_moment(world, coming))
        world.end_due(rooms)
        while coming and coming[0].queued_at <= world.now:
            policy.add(coming.popleft())
        if not outcome.jain and sum(world.use.values()) >= half:
            outcome.jain = jain_of_shares(world.use, demand)
        before = time.process_time()
        given = policy.decide(world.use)
        outcome.decided += time.process_time() - before
        outcome.rounds += 1
        for run, placement in given:
            world.begin(run, placement, lasts[run.run_id])
            outcome.waits.append(world.now - run.queued_at)
    gpus = sum(len(room.node.gpus) for room in policy.rooms)
    outcome.idle = 1 - sum(world.use.values()) / (gpus * world.now)
    return outcome


def jain_of_shares(got: Mapping[int, float], demand: Mapping[int, float]) -> float:
    """Jain's index of what everybody got, each measured by the share that max-min fairness would have given them."""
    level = _water_level(sorted(demand.values()), sum(got.values()))
    shares = [got.get(user, 0.0) / min(wanted, level) for user, wanted in demand.items() if wanted]
    return sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))


def measure_whole_line(sessions: Sequence[tuple[Waiting, float]]) -> float:
    """Milliseconds for `place` on everything at once, with a reason and a position for each that waits."""
    nodes, line = make_nodes(), [run for run, _ in sessions]
    before = time.process_time()
    place(line, nodes, {})
    return (time.process_time() - before) * 1e3


def print_outcomes(outcomes: Mapping[str, Outcome]) -> None:
    """One line of figures for each policy."""
    for name, seen in outcomes.items():
        waits = ", ".join(f"p{share * 100:g} {seen.quantile(share):.0f}" for share in (0.5, 0.9, 0.99))
        print(
            f"{name:>10}: GPUs {100 * (1 - seen.idle):.1f} % used; waits in minutes {waits}; Jain {seen.jain:.3f}; "
            f"{len(seen.waits) / seen.decided:,.0f} places a second in {seen.rounds:,} decisions"
        )


def _next_moment(world: World, coming: Sequence[Waiting]) -> float:
    """The next tick of the dispatcher at which something has changed."""
    moments = [world.ending[0][0]] if world.ending else []
    moments += [coming[0].queued_at] if coming else []
    return max(world.now + TICK, TICK * -(-min(moments) // TICK))


def _demand(sessions: Sequence[tuple[Waiting, float]]) -> dict[int, float]:
    """GPU-seconds that each user asks for."""
    wanted: dict[int, float] = defaultdict(float)
    for run, seconds in sessions:
        wanted[run.user_id] += run.gpus * seconds
    return wanted


def _water_level(wanted: Sequence[float], supply: float) -> float:
    """The most that anybody gets when `supply` is shared max-min fairly; `wanted` from the smallest to the largest."""
    for index, want in enumerate(wanted):
        level = supply / (len(wanted) - index)
        if want > level:
            return level
        supply -= want
    return max(wanted)


if __name__ == "__main__":
    rows()
