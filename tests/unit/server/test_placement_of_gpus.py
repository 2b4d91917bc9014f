"""What a run asks of a machine besides its size, and that nobody starves."""

from dataclasses import replace

import pytest

from nsml_server.domain.capacity import Held, NodeView, Waiting
from nsml_server.domain.devices import Gpu
from nsml_server.domain.placement import place
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
def test_a_wish_that_nothing_meets_is_refused_at_once_with_what_there_is(wish: dict[str, object], told: str) -> None:
    assert told in place([run(1, **wish)], [OLD, NEW], {}).refused[1]


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


def test_one_who_waits_for_much_does_not_hold_up_other_machines() -> None:
    busy = [node(name, f"{name}0", f"{name}1", held=(Held(9, RunKind.TRAIN, 1, (f"{name}0",)),)) for name in "abc"]
    line = [run(n, gpus=2, user=n) for n in range(1, 6)] + [run(n, user=n) for n in range(6, 9)]
    decision = place(line, busy, {})
    assert [placement.run_id for placement in decision.placements] == [6, 7]
