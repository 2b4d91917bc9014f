"""Who goes where, in which order, and what the others are told."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsml_server.domain.capacity import SCORING_LANE, Held, NodeView, Waiting, is_scoring
from nsml_server.domain.devices import Gpu
from nsml_server.domain.placement import Decision, place
from nsml_server.domain.shortage import refusal
from nsml_worker.contract import RunKind

GIB = 2**30


def gpus(*uuids: str, model: str = "Tesla P40", driver: str = "418.67") -> tuple[Gpu, ...]:
    return tuple(Gpu(uuid, model, 24 * GIB, driver) for uuid in uuids)


SMALL = NodeView("local", cpus=2, memory=8 * GIB)
RACK = NodeView("rack", cpus=16, memory=64 * GIB, gpus=gpus("g0", "g1", "g2", "g3"))


def run(number: int, user: int = 1, kind: RunKind = RunKind.TRAIN, **fields: object) -> Waiting:
    asked = {"cpus": 1, "gpus": 0, "memory": None, "queued_at": float(number), **fields}
    return Waiting(run_id=number, user_id=user, kind=kind, **asked)  # type: ignore[arg-type]


def held(cpus: int = 1, user: int = 9, kind: RunKind = RunKind.TRAIN, gpus: tuple[str, ...] = ()) -> Held:
    return Held(user_id=user, kind=kind, cpus=cpus, gpus=gpus)


def started(decision: Decision) -> list[int]:
    return [placement.run_id for placement in decision.placements]


def texts(decision: Decision) -> dict[int, str]:
    return {number: wait.text for number, wait in decision.waits.items()}


def test_as_many_start_as_there_is_room_for_and_the_rest_say_why_they_wait() -> None:
    decision = place([run(n) for n in (1, 2, 3, 4)], [SMALL], {})
    assert started(decision) == [1, 2]
    assert texts(decision) == {
        3: "waits for 1 CPU: 2 of 2 are in use; 1st in line",
        4: "waits for 1 CPU: 2 of 2 are in use; 2nd in line",
    }


def test_the_one_who_waited_longest_goes_first() -> None:
    late, early = run(1, queued_at=20.0), run(2, queued_at=10.0)
    assert started(place([late, early], [replace(SMALL, cpus=1)], {})) == [2]


def test_a_submit_goes_before_a_training_that_waits_longer() -> None:
    node = replace(SMALL, cpus=1, held=(held(kind=RunKind.SCORE),))
    assert started(place([run(1), run(2, kind=RunKind.PREDICT)], [node], {})) == [2]


@pytest.mark.parametrize("kind", [RunKind.PREDICT, RunKind.SCORE])
def test_a_submit_never_waits_behind_a_training(kind: RunKind) -> None:
    full = replace(SMALL, held=(held(2),))
    decision = place([run(1), run(2, kind=kind), run(3, kind=kind)], [full], {})
    assert started(decision) == [2]
    assert texts(decision)[3] == "waits for 1 CPU: 3 of 3 are in use; 1st in line"
    assert texts(decision)[1] == "waits for 1 CPU: 2 of 2 are in use; 2nd in line"


def test_the_extra_slot_is_not_for_trainings() -> None:
    assert started(place([run(1), run(2), run(3)], [SMALL], {})) == [1, 2]
    busy_lane = replace(SMALL, held=(held(kind=RunKind.SCORE),))
    assert started(place([run(1), run(2), run(3)], [busy_lane], {})) == [1, 2]


def test_the_user_with_the_least_recent_use_goes_first() -> None:
    greedy, modest = run(1, user=1), run(2, user=2)
    assert started(place([greedy, modest], [replace(SMALL, cpus=1)], {1: 500.0, 2: 10.0})) == [2]


def test_users_take_turns() -> None:
    line = [*(run(n, user=1) for n in (1, 2, 3)), *(run(n, user=2) for n in (11, 12, 13))]
    assert started(place(line, [replace(SMALL, cpus=4)], {})) == [1, 11, 2, 12]


def test_one_who_holds_a_place_lets_the_other_go_first() -> None:
    node = replace(SMALL, held=(held(user=1),))
    assert started(place([run(1, user=1), run(2, user=2)], [node], {})) == [2]


def test_gpus_are_whole_devices_in_the_nodes_order() -> None:
    node = replace(RACK, held=(held(gpus=("g1",)),))
    decision = place([run(1, gpus=2), run(2, gpus=1)], [node], {})
    assert [placement.gpus for placement in decision.placements] == [("g0", "g2"), ("g3",)]


def test_a_run_that_waits_for_gpus_says_how_many_are_in_use() -> None:
    node = replace(RACK, held=(held(gpus=("g0", "g1", "g2")),))
    decision = place([run(1, gpus=2)], [node], {})
    assert texts(decision) == {1: "waits for 2 GPUs: 3 of 4 are in use; 1st in line"}


def test_a_large_run_is_not_starved_by_small_ones_behind_it() -> None:
    node = replace(RACK, gpus=gpus("g0", "g1"), held=(held(gpus=("g0",)),))
    decision = place([run(1, gpus=2), run(2, user=2, gpus=1), run(3, user=2)], [node], {})
    assert started(decision) == [3]
    assert texts(decision)[2] == "waits for 1 GPU: 1 of 2 is in use and 1 GPU kept for runs ahead; 2nd in line"


def test_devices_free_on_different_machines_are_told_so() -> None:
    nodes = [replace(RACK, name=name, held=(held(gpus=("g0", "g1", "g2")),)) for name in ("a", "b")]
    decision = place([run(1, gpus=2)], nodes, {})
    assert texts(decision) == {1: "waits for 2 GPUs on one machine: 6 of 8 are in use; 1st in line"}


def test_a_shape_that_is_free_only_in_parts_is_told_so() -> None:
    no_cpu = replace(RACK, name="a", cpus=2, held=(held(2),))
    no_gpu = replace(RACK, name="b", cpus=2, gpus=gpus("g0"), held=(held(0, gpus=("g0",)),))
    decision = place([run(1, gpus=1, cpus=2)], [no_cpu, no_gpu], {})
    assert texts(decision)[1].startswith("waits for 1 GPU and 2 CPUs on one machine: each is free, but not on the same")


def test_memory_is_counted_where_it_is_claimed() -> None:
    node = replace(SMALL, cpus=4, held=(Held(9, RunKind.TRAIN, 1, memory=6 * GIB),))
    decision = place([run(1, memory=4 * GIB), run(2, user=2)], [node], {})
    assert started(decision) == [2]
    assert texts(decision) == {1: "waits for 4.0 GiB of memory: 6.0 of 8.0 GiB are in use; 1st in line"}


def test_a_run_that_no_machine_can_hold_keeps_its_place_and_is_told_the_nearest_that_fits() -> None:
    decision = place([run(1, gpus=8, cpus=4)], [SMALL, RACK], {})
    assert texts(decision) == {
        1: "waits for another machine: it asks for 8 GPUs and 4 CPUs on one machine, and the largest request that fits is "
        "4 GPUs and 4 CPUs; 1st in line"
    }


def test_a_run_that_no_machine_can_hold_does_not_take_the_turn_of_one_that_some_machine_can() -> None:
    node = replace(RACK, gpus=gpus("g0", "g1"), held=(held(gpus=("g0",)),))
    line = [run(1, gpus=2, cpus=99), run(2, user=2, gpus=2), run(3, user=3, gpus=1)]
    decision = place(line, [node], {})
    assert started(decision) == []
    assert decision.kept == {2}, "the device that is free is kept for the first pair that can ever have one"


def test_a_refusal_names_memory_when_memory_was_asked_for() -> None:
    text = refusal(run(1, memory=100 * GIB).shape, [SMALL])
    assert text is not None
    assert "100.0 GiB of memory" in text
    assert text.endswith("1 CPU and 8.0 GiB of memory")


def test_the_lane_does_not_make_a_machine_larger() -> None:
    assert refusal(run(1, kind=RunKind.SCORE, cpus=3).shape, [SMALL]) is not None


def test_a_machine_that_is_away_is_waited_for_by_name() -> None:
    decision = place([run(1, gpus=1)], [SMALL, replace(RACK, connected=False)], {})
    assert texts(decision) == {1: "waits for rack, not connected now; 1st in line"}


def test_a_machine_that_does_not_take_its_work_gets_no_more_and_is_waited_for_by_name() -> None:
    decision = place([run(1), run(2, gpus=1)], [SMALL, replace(RACK, deaf=True)], {})
    assert started(decision) == [1]
    assert texts(decision) == {2: "waits for rack, which does not take its work now; 1st in line"}


def test_without_any_machine_nothing_is_refused() -> None:
    assert refusal(run(1, gpus=64).shape, []) is None
    decision = place([run(1, gpus=64)], [], {})
    assert texts(decision) == {1: "waits for a worker: none is connected; 1st in line"}


def test_a_machine_that_has_the_image_and_the_dataset_comes_first() -> None:
    cold = replace(RACK, name="a")
    warm = replace(RACK, name="b", images=frozenset({"torch"}), datasets=frozenset({"kin"}))
    (placement,) = place([run(1, image="torch", dataset="kin")], [cold, warm], {}).placements
    assert placement.node == "b"


def test_a_run_without_gpus_leaves_the_machine_with_gpus_alone() -> None:
    (placement,) = place([run(1)], [replace(RACK, name="a"), replace(SMALL, name="b")], {}).placements
    assert placement.node == "b"


def test_a_machine_that_shrank_takes_nothing_until_it_has_room() -> None:
    decision = place([run(1), run(2, kind=RunKind.SCORE)], [replace(SMALL, cpus=1, held=(held(4),))], {})
    assert started(decision) == [2]


@pytest.mark.parametrize(("count", "ordinal"), [(3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd"), (112, "112th")])
def test_the_place_in_line_is_told_in_words(count: int, ordinal: str) -> None:
    decision = place([run(n) for n in range(1, count + 1)], [replace(SMALL, held=(held(2),))], {})
    assert texts(decision)[count].endswith(f"; {ordinal} in line")


nodes = st.builds(
    NodeView,
    name=st.sampled_from(["a", "b", "c"]),
    cpus=st.integers(1, 4),
    memory=st.integers(1, 8),
    gpus=st.sampled_from([(), gpus("g0"), gpus("g0", "g1", "g2")]),
    connected=st.booleans(),
)
waiting = st.builds(
    Waiting,
    run_id=st.integers(1, 10_000),
    user_id=st.integers(1, 3),
    kind=st.sampled_from([RunKind.TRAIN, RunKind.PREDICT, RunKind.SCORE]),
    cpus=st.integers(1, 4),
    gpus=st.integers(0, 3),
    memory=st.none() | st.integers(0, 8),
    queued_at=st.floats(0, 100),
)
lines = st.lists(waiting, max_size=20, unique_by=lambda item: item.run_id)
clusters = st.lists(nodes, max_size=3, unique_by=lambda node: node.name)


@given(lines, clusters, st.dictionaries(st.integers(1, 3), st.floats(0, 1000)))
def test_each_run_is_placed_or_waits_and_no_machine_is_overfull(
    line: list[Waiting], cluster: list[NodeView], use: dict[int, float]
) -> None:
    decision = place(line, cluster, use)
    by_id = {item.run_id: item for item in line}
    assert sorted([*started(decision), *decision.waits]) == sorted(by_id)
    assert [wait.position for wait in decision.waits.values()] == list(range(1, len(decision.waits) + 1))
    for node in cluster:
        there = [(by_id[p.run_id], p) for p in decision.placements if p.node == node.name]
        assert node.connected or not there
        scoring = sum(item.cpus for item, _ in there if is_scoring(item.kind))
        training = sum(item.cpus for item, _ in there if not is_scoring(item.kind))
        assert training + max(0, scoring - SCORING_LANE) <= node.cpus
        assert sum(item.memory or 0 for item, _ in there) <= node.memory
        devices = Counter(device for _, placement in there for device in placement.gpus)
        assert set(devices) <= {gpu.uuid for gpu in node.gpus}
        assert set(devices.values()) <= {1}
        assert all(len(placement.gpus) == item.gpus for item, placement in there)


@given(lines, clusters, st.randoms())
def test_the_order_in_which_runs_are_listed_changes_nothing(
    line: list[Waiting], cluster: list[NodeView], random: object
) -> None:
    shuffled = list(line)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert place(shuffled, cluster, {}) == place(line, cluster, {})


@given(waiting, clusters)
def test_only_what_no_machine_could_hold_is_refused(item: Waiting, cluster: list[NodeView]) -> None:
    never = bool(cluster) and not any(node.could_hold(item.shape) for node in cluster)
    assert (refusal(item.shape, cluster) is not None) == never


@given(lines, clusters)
def test_the_first_in_line_waits_only_for_want_of_room(line: list[Waiting], cluster: list[NodeView]) -> None:
    here = [replace(node, connected=True) for node in cluster]
    decision = place(line, here, {})
    if any(node.could_hold(item.shape) for item in line for node in here):
        assert decision.placements


def test_a_run_goes_only_where_its_runtime_is_and_waits_for_it_there() -> None:
    old = replace(SMALL, name="old", cpus=1, runtimes=frozenset({"default", "tf1"}))
    decision = place([run(1, runtime="tf1"), run(2, runtime="tf1"), run(3)], [SMALL, old], {})
    assert {each.run_id: each.node for each in decision.placements} == {1: "old", 3: "local"}
    assert texts(decision)[2].startswith("waits for 1 CPU: 1 of 1 is in use")
    away = replace(old, connected=False)
    assert texts(place([run(1, runtime="tf1")], [SMALL, away], {}))[1].startswith("waits for old, not connected")


def test_the_largest_request_that_fits_is_that_of_a_machine_with_the_runtime() -> None:
    old = replace(SMALL, name="old", runtimes=frozenset({"tf1"}))
    said = refusal(run(1, runtime="tf1", cpus=12).shape, [RACK, old])
    assert said is not None
    assert "the largest request that fits is 2 CPUs" in said
    gone = refusal(run(1, runtime="gone").shape, [RACK, old])
    assert gone == 'it needs the runtime "gone", and the machines here have tf1'
