"""What a run asks of a machine besides its size, and that nobody starves."""

import math
from dataclasses import replace

import pytest

from nsml_server.domain.capacity import Held, NodeView, Waiting
from nsml_server.domain.devices import Gpu
from nsml_server.domain.placement import PATIENCE, Decision, Placement, place
from nsml_server.domain.shortage import refusal
from nsml_worker.contract import RunKind

GIB = 2**30


def node(name: str, *uuids: str, model: str = "Tesla P40", driver: str = "418.67", **more: object) -> NodeView:
    gpus = tuple(Gpu(uuid, model, 24 * GIB, driver) for uuid in uuids)
    return NodeView(name, cpus=16, memory=64 * GIB, gpus=gpus, **more)  # type: ignore[arg-type]


def run(number: int, gpus: int = 1, user: int = 1, **fields: object) -> Waiting:
    asked = {"cpus": 1, "memory": None, "queued_at": float(number), **fields}
    return Waiting(run_id=number, user_id=user, kind=RunKind.TRAIN, gpus=gpus, **asked)  # type: ignore[arg-type]


OLD, NEW = node("old", "k0", model="Tesla K80", driver="384.81"), node("new", "p0", "p1")


@pytest.mark.parametrize("wish", [{"gpu_model": "P40"}, {"gpu_driver": "390.46"}, {"node": "new"}])
def test_a_run_goes_where_its_wish_is_met(wish: dict[str, str]) -> None:
    (placement,) = place([run(1, **wish)], [OLD, NEW], {}).placements
    assert placement.node == "new"


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"gpu_model": "A100"}, '1 GPU of model "A100" and 1 CPU, and there are Tesla K80, Tesla P40 with driver'),
        (
            {"gpu_driver": "450.1"},
            "with driver 450.1 or newer and 1 CPU, and there are Tesla K80, Tesla P40 with driver 384.81, 418.67",
        ),
        ({"node": "rack9"}, 'there is no machine called "rack9"; there are new, old'),
        ({"runtime": "tf9"}, 'it needs the runtime "tf9", and the machines here have none that are known'),
        ({"runner": "docker"}, "no machine here runs containers"),
        ({"gpu_model": "P40", "gpus": 4}, "the largest request that fits is 2 GPUs and 1 CPU"),
    ],
)
def test_a_wish_that_nothing_meets_is_refused_with_what_there_is(wish: dict[str, object], told: str) -> None:
    assert told in str(refusal(run(1, **wish).shape, [OLD, NEW]))


def test_of_a_mixed_machine_only_the_devices_asked_for_are_given() -> None:
    mixed = replace(NEW, gpus=(*OLD.gpus, *NEW.gpus))
    decision = place([run(1, gpu_model="P40", gpus=2), run(2, gpu_model="P40")], [mixed], {})
    assert [placement.gpus for placement in decision.placements] == [("p0", "p1")]
    assert 2 in decision.waits


def test_a_runtime_goes_to_a_machine_that_has_it() -> None:
    (placement,) = place(
        [run(1, gpus=0, runtime="tf1")], [NEW, replace(OLD, runtimes=frozenset({"tf1"}))], {}
    ).placements
    assert placement.node == "old"


def test_a_drained_machine_gets_nothing_and_is_named() -> None:
    decision = place([run(1)], [replace(NEW, drained=True)], {})
    assert not decision.placements
    assert decision.waits[1].text == "waits for new, which takes nothing new now; 1st in line"


def test_a_machine_that_holds_the_environment_comes_first() -> None:
    warm = replace(NEW, name="warm", images=frozenset({"key-of-torch"}))
    (placement,) = place([run(1, image="key-of-torch")], [replace(NEW, name="cold"), warm], {}).placements
    assert placement.node == "warm"


def test_a_pair_of_gpus_is_not_starved_by_a_stream_of_single_ones() -> None:
    """Every round somebody new asks for one GPU, and one that was given comes free."""
    cluster, held, line = node("rack", "g0", "g1", "g2", "g3"), {}, [run(1, gpus=2, user=1)]
    held = {100 + n: Held(50 + n, RunKind.TRAIN, 1, (f"g{n}",)) for n in range(4)}
    for moment in range(10):
        line.append(run(200 + moment, user=200 + moment))
        held.pop(min(held))
        decision = place(line, [replace(cluster, held=tuple(held.values()))], {})
        for placement in decision.placements:
            (placed,) = [one for one in line if one.run_id == placement.run_id]
            line.remove(placed)
            held[placed.run_id] = Held(placed.user_id, RunKind.TRAIN, 1, placement.gpus)
        if 1 in held:
            break
    assert moment == 1, "it has both as soon as two came free"


def hold(*uuids: str, kind: RunKind = RunKind.TRAIN, until: float = 1e9) -> tuple[Held, ...]:
    """Each of these devices is held by a run of its own."""
    return tuple(Held(9, kind, 1, (uuid,), until=until) for uuid in uuids)


def test_room_is_kept_where_it_comes_free_by_itself_and_soonest() -> None:
    served = node("a", "a0", "a1", held=hold("a0", kind=RunKind.SERVE))
    late, soon = (
        node(name, f"{name}0", f"{name}1", held=hold(f"{name}0", until=end)) for name, end in (("b", 9), ("c", 5))
    )
    decision = place([run(1, gpus=2), run(2, user=2), run(3, user=2), run(4, user=2)], [served, late, soon], {})
    assert {placement.gpus for placement in decision.placements} == {("a1",), ("b1",)}
    assert decision.kept == {1}


def test_for_each_hour_in_vain_room_is_kept_on_one_machine_more() -> None:
    busy = [node(name, f"{name}0", f"{name}1", held=hold(f"{name}0")) for name in "abc"]
    small = [run(n, user=2) for n in (2, 3, 4)]
    for hours, kept in ((0, 1), (0.9, 1), (1, 2), (2.5, 3)):
        decision = place([run(1, gpus=2, in_vain=hours * PATIENCE), *small], busy, {})
        assert len(decision.placements) == len(busy) - kept


class Hours:
    """Four machines of two devices in simulated time: whoever wants one device is endless, one wants two."""

    LASTS, STEP = 3600.0, 600.0  # of a run with one device, and between two looks: seconds

    def __init__(self, first: RunKind) -> None:
        self.now, self.kept_since, self.next = 0.0, None, 100
        self.held: dict[str, tuple[Held, float]] = {"a0": (Held(9, first, 1, ("a0",), until=86400.0), math.inf)}
        for index, uuid in enumerate(("b0", "b1", "c0", "c1", "d0", "d1")):
            self.start(uuid, self.STEP * (index + 1))

    def start(self, uuid: str, lasts: float) -> None:
        # A program may run for three days, and needs less: nobody knows how much less.
        self.held[uuid] = (Held(8, RunKind.TRAIN, 1, (uuid,), until=self.now + 3 * 86400), self.now + lasts)

    def look(self) -> Placement | None:
        """Time passes; returns the place of the one who wants two devices, once there is one."""
        self.now += self.STEP
        self.held = {uuid: (held, end) for uuid, (held, end) in self.held.items() if end > self.now}
        machines = [
            node(name, *both, held=tuple(self.held[uuid][0] for uuid in both if uuid in self.held))
            for name, both in ((name, (f"{name}0", f"{name}1")) for name in "abcd")
        ]
        vain = 0.0 if self.kept_since is None else self.now - self.kept_since
        small = [run(self.next + index, user=self.next + index) for index in range(8)]
        self.next += len(small)
        decision = place([run(1, gpus=2, in_vain=vain), *small], machines, {})
        if 1 in decision.kept and self.kept_since is None:
            self.kept_since = self.now
        for placement in decision.placements:
            if placement.run_id == 1:
                return placement
            self.start(*placement.gpus, self.LASTS)
        return None


@pytest.mark.parametrize("first", [RunKind.SERVE, RunKind.TRAIN])
def test_a_pair_of_gpus_is_not_starved_by_a_machine_of_which_half_is_held_for_ever(first: RunKind) -> None:
    hours = Hours(first)
    while hours.look() is None:
        assert hours.now < 4 * 3600, "it still waits, though every machine but one has come free in part each hour"


MIXED = NodeView(
    "mixed",
    cpus=16,
    memory=64 * GIB,
    gpus=tuple(Gpu(uuid, model) for uuid, model in (("a0", "A100"), ("a1", "A100"), ("t0", "T4"), ("t1", "T4"))),
)


def given(decision: Decision) -> dict[int, tuple[str, ...]]:
    return {placement.run_id: placement.gpus for placement in decision.placements}


def test_a_device_kept_for_one_who_asks_for_its_model_is_not_given_to_another() -> None:
    busy = replace(MIXED, held=hold("a1"))
    line = [run(1, gpus=2, gpu_model="A100"), run(2, user=2), run(3, user=3), run(4, user=4)]
    decision = place(line, [busy], {})
    assert given(decision) == {2: ("t0",), 3: ("t1",)}
    told = "waits for 1 GPU: 3 of 4 are in use and 1 GPU kept for runs ahead; 2nd in line"
    assert decision.waits[4].text == told


def test_a_device_kept_of_one_model_holds_up_nobody_who_asks_for_another() -> None:
    busy = replace(MIXED, held=hold("a1"))
    pairs = [run(1, gpus=2, gpu_model="A100"), run(2, user=2, gpu_model="T4"), run(3, user=3, gpu_model="T4")]
    assert given(place(pairs, [busy], {})) == {2: ("t0",), 3: ("t1",)}


def test_who_takes_any_device_is_given_those_that_nobody_asks_for() -> None:
    there = [replace(MIXED, gpus=MIXED.gpus[1:])]
    assert given(place([run(1), run(2, user=2, gpu_model="A100")], there, {})) == {1: ("t0",), 2: ("a1",)}
    apart = [node("a", "a0", model="A100"), node("t", "t0", model="T4")]
    assert given(place([run(1), run(2, user=2, gpu_model="A100")], apart, {})) == {1: ("t0",), 2: ("a0",)}


def test_only_devices_of_the_model_asked_for_are_counted_when_the_reason_is_told() -> None:
    busy = replace(MIXED, held=hold("a0", "a1"))
    text = place([run(1, gpu_model="A100")], [busy], {}).waits[1].text
    assert text == 'waits for 1 GPU of model "A100": 2 of 2 are in use; 1st in line'


def test_one_who_waits_for_much_does_not_hold_up_other_machines() -> None:
    busy = [node(name, f"{name}0", f"{name}1", held=(Held(9, RunKind.TRAIN, 1, (f"{name}0",)),)) for name in "abc"]
    line = [run(n, gpus=2, user=n) for n in range(1, 6)] + [run(n, user=n) for n in range(6, 9)]
    decision = place(line, busy, {})
    assert [placement.run_id for placement in decision.placements] == [6, 7]
