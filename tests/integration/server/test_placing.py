"""How runs get their places: accepted means kept, stale decisions do no harm, and a machine that takes nothing gets nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from nsml_server.broker import MemoryBroker
from nsml_server.domain.placement import PATIENCE
from nsml_server.services import accounts, nodes, placing
from nsml_server.storage.repositories import runs as run_rows

GPUS = [{"uuid": f"GPU-{n}", "model": "Tesla P40", "memory": 2**34, "driver": "418.67"} for n in range(2)]
OFFER = {"cpus": 4, "memory": 2**33, "images": ["default"], "confinement": "bubblewrap"}


@pytest.fixture
def second(platform: Any, worker: Any) -> Any:
    """Another node that has not said hello yet."""
    with platform.database.write() as tx:
        _, token = accounts.create_node(tx, "node-2", platform.now())
    return type(worker)(worker.client, platform, token, worker.dispatch, "node-2")


@pytest.fixture
def problem_of(mina: Any) -> Callable[[str], Any]:
    """What is told of a machine."""

    def look(name: str) -> Any:
        (node,) = (node for node in mina.call("GET", "/nodes").json()["nodes"] if node["name"] == name)
        return node["problem"]

    return look


def test_what_no_machine_can_hold_is_not_accepted_and_the_nearest_that_fits_is_told(mina: Any, worker: Any) -> None:
    worker.hello()
    refused = mina.run(None, gpus=64)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (422, "never_fits")
    assert "64 GPUs" in error["message"]
    assert error["hint"]
    assert mina.call("GET", "/sessions").json()["sessions"] == []
    assert mina.run(None).json()["number"] == 1, "a refusal uses no number up"


def test_before_any_machine_has_spoken_everything_is_accepted(mina: Any, worker: Any) -> None:
    assert mina.run(None, gpus=2).status_code == 201
    worker.dispatch()
    assert mina.session("mina/None/1")["waiting"]["text"].startswith("waits for a worker: none is connected")
    worker.hello(cpus=4, gpus=GPUS)
    assert worker.take_one().spec["limits"]["gpus"] == ["GPU-0", "GPU-1"]


LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "a heartbeat without its GPUs": lambda worker, _: worker.call("heartbeat", {"boxes": [], "capacity": OFFER}),
    "a hello without its GPUs": lambda worker, _: worker.hello(cpus=4),
    "its removal": lambda _, admin: admin.call("DELETE", "/nodes/node-1", params={"force": True}),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_run_that_waits_outlives_a_moment_in_which_no_machine_could_hold_it(
    mina: Any, worker: Any, second: Any, join: Any, platform: Any, loss: str
) -> None:
    worker.hello(cpus=4, gpus=GPUS)
    second.hello()
    mina.run(None, gpus=2)
    first = worker.take_one()
    first.tell("started")
    mina.run(None, gpus=2)
    answer = LOSSES[loss](worker, join("root", admin=True))
    assert isinstance(answer, dict) or answer.status_code < 300
    worker.dispatch()
    waiting = mina.session("mina/None/2")
    assert waiting["state"] == "queued"
    assert "the machines here have no GPU" in waiting["waiting"]["text"]
    with platform.database.write() as tx:
        _, worker.token = accounts.create_node(tx, "node-1", platform.now())
    worker.hello(cpus=4, gpus=GPUS)
    assert {attempt.run_id for attempt in worker.take()} & {1, 2}, "it starts as soon as the machine is there again"


def test_a_submit_for_which_every_machine_is_gone_is_refused_and_may_be_made_again(
    mina: Any, worker: Any, second: Any
) -> None:
    mina.push()
    worker.hello(cpus=4, gpus=GPUS)
    name = mina.run(gpus=1).json()["name"]
    worker.train()
    worker.hello(cpus=4)
    assert mina.submit(name, key="once").json()["error"]["code"] == "never_fits"
    worker.hello(cpus=4, gpus=GPUS)
    assert mina.submit(name, key="once").status_code == 201


def test_the_place_in_the_line_is_told_and_those_who_follow_hear_when_it_moves(
    mina: Any, worker: Any, platform: Any
) -> None:
    worker.hello(cpus=1)
    for _ in range(3):
        mina.run(None)
    first = worker.take_one()
    first.tell("started")
    assert [mina.session(f"mina/None/{n}")["waiting"]["position"] for n in (2, 3)] == [1, 2]
    seen = platform.notices.version("session:3")
    first.end()
    worker.dispatch()
    waiting = mina.session("mina/None/3")["waiting"]
    assert waiting["position"] == 1
    assert waiting["text"].endswith("1st in line")
    assert platform.notices.version("session:3") > seen


def test_a_line_that_only_waits_writes_nothing(
    mina: Any, worker: Any, platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.hello(cpus=1)
    for _ in range(3):
        mina.run(None)
    worker.dispatch()
    monkeypatch.setattr(platform.database, "write", None)
    assert placing.place_waiting(platform) == 0


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Something happens between a decision and its being carried out."""
    decide = placing.place

    def arrange(what: Callable[[], Any]) -> None:
        def decide_late(*seen: Any) -> Any:
            monkeypatch.setattr(placing, "place", decide)
            decision = decide(*seen)
            what()
            return decision

        monkeypatch.setattr(placing, "place", decide_late)

    return arrange


def test_a_run_that_is_stopped_while_places_are_decided_holds_up_nobody_else(
    mina: Any, worker: Any, platform: Any, meanwhile: Any
) -> None:
    worker.hello()
    mina.run(None)
    mina.run(None)
    meanwhile(lambda: mina.call("POST", "/sessions/mina/None/1/stop"))
    assert placing.place_waiting(platform) == 1
    assert [mina.session(f"mina/None/{n}")["state"] for n in (1, 2)] == ["stopped", "placed"]


def test_room_that_another_server_gave_away_meanwhile_is_not_given_twice(
    mina: Any, worker: Any, platform: Any, meanwhile: Any
) -> None:
    worker.hello(cpus=4, gpus=GPUS[:1])
    mina.run(None, gpus=1)
    mina.run(None, gpus=1)

    def give_away() -> None:
        """The other server knows the second run only."""
        mina.call("POST", "/sessions/mina/None/1/stop")
        assert placing.place_waiting(platform) == 1
        mina.call("POST", "/sessions/_/None/1/resume")

    meanwhile(give_away)
    assert placing.place_waiting(platform) == 0
    with platform.database.read() as tx:
        assert [run.id for run in run_rows.on_nodes(tx)] == [2]
    assert platform.bell.wait(0), "whose room was gone is looked at again at once"


def test_a_machine_that_shrinks_while_places_are_decided_is_not_overfilled(
    mina: Any, worker: Any, platform: Any, meanwhile: Any
) -> None:
    worker.hello(cpus=2)
    mina.run(None)
    mina.run(None)
    meanwhile(lambda: worker.hello(cpus=1))
    assert placing.place_waiting(platform) == 1


def test_for_whoever_waits_in_vain_for_an_hour_room_is_kept_on_two_machines(
    mina: Any, stranger: Any, join: Any, worker: Any, second: Any, clock: Any
) -> None:
    worker.hello(cpus=4, gpus=GPUS)
    second.hello(cpus=4, gpus=[{**gpu, "uuid": f"{gpu['uuid']}b"} for gpu in GPUS])
    operator = join("operator", admin=True)
    for name in ("node-1", "node-2"):
        operator.run(None, gpus=1, node=name)
    here, there = (attempt for attempt in worker.take())
    mina.run(None, gpus=2)
    stranger.run(None, gpus=1)
    (small,) = worker.take()
    assert small.run_id == 4, "one half is kept for the pair, the other is given to the next in line"
    for attempt in (here, there, small):
        attempt.tell("started")
    small.end()
    clock.move(PATIENCE + 1)
    worker.heartbeat([here.run_id, 1])
    second.heartbeat([there.run_id, 1])
    stranger.run(None, gpus=1)
    worker.dispatch()
    assert "2 GPUs kept for runs ahead" in stranger.session("stranger/None/2")["waiting"]["text"]
    there.end()
    assert [attempt.run_id for attempt in worker.take()] == [3, 5], (
        "the pair has both, and what it kept elsewhere is free"
    )


@pytest.fixture
def let_lie(worker: Any, clock: Any) -> Callable[..., list[Any]]:
    """A worker lives, and never hears of what it is given; returns the messages."""

    def pass_by(times: int, *others: Any) -> list[Any]:
        messages = worker.messages()
        for _ in range(4 * times):  # a lease is 30 seconds
            clock.move(10)
            for one in (worker, *others):
                one.heartbeat()
            messages += worker.messages()
        return messages

    return pass_by


def test_a_machine_that_lets_its_work_lie_is_passed_over_and_named(
    mina: Any, worker: Any, second: Any, let_lie: Any, problem_of: Any
) -> None:
    worker.hello(cpus=1)
    second.hello(cpus=64)
    mina.run(None)
    assert {message.node for message in let_lie(nodes.DOUBTED - 1, second)} == {"node-1"}
    assert problem_of("node-1") is None
    assert let_lie(1, second)[-1].node == "node-2"
    assert "can it reach the broker" in problem_of("node-1")
    assert problem_of("node-2") is None
    assert mina.session("mina/None/1")["waiting"]["text"] == "waits for node-2 to take it"


def test_whoever_waits_for_a_machine_that_takes_nothing_is_told(mina: Any, worker: Any, let_lie: Any) -> None:
    worker.hello(cpus=1)
    mina.run(None)
    let_lie(nodes.DOUBTED)
    text = mina.session("mina/None/1")["waiting"]["text"]
    assert text == "waits for node-1, which does not take its work now; 1st in line"


def test_a_machine_that_comes_for_its_work_too_late_is_trusted_again(
    mina: Any, worker: Any, let_lie: Any, problem_of: Any
) -> None:
    worker.hello(cpus=1)
    mina.run(None)
    late = let_lie(nodes.DOUBTED)[0]
    headers = {"Authorization": f"Bearer {late.token}"}
    answer = worker.client.post(f"/agent/v1/runs/{late.run_id}/claim", json={}, headers=headers)
    assert answer.status_code == 409
    assert problem_of("node-1") is None
    assert worker.take_one().run_id == 1


@pytest.mark.parametrize("sign", ["it says hello", "it was silent and comes back", "some time has passed"])
def test_a_machine_that_was_passed_over_gets_another_chance(
    mina: Any, worker: Any, let_lie: Any, clock: Any, problem_of: Any, sign: str
) -> None:
    worker.hello(cpus=1)
    mina.run(None)
    let_lie(nodes.DOUBTED)
    if sign == "it says hello":
        worker.hello(cpus=1)
    elif sign == "it was silent and comes back":
        clock.move(31)
        worker.heartbeat()
    else:
        for _ in range(int(nodes.TRY_AGAIN / 20) + 1):
            clock.move(20)
            worker.heartbeat()
    assert problem_of("node-1") is None
    assert worker.take_one().run_id == 1


def test_a_machine_is_not_blamed_for_what_the_broker_did_not_get(
    mina: Any, worker: Any, let_lie: Any, problem_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.hello(cpus=1)
    mina.run(None)

    def refuse(*_: Any) -> None:
        raise OSError("the broker is away")

    with monkeypatch.context() as away:
        away.setattr(MemoryBroker, "send", refuse)
        assert let_lie(nodes.DOUBTED + 1) == []
    assert problem_of("node-1") is None
    assert worker.take_one().run_id == 1


def test_what_was_used_within_a_day_counts_whether_it_has_ended_or_not(
    mina: Any, stranger: Any, worker: Any, platform: Any, clock: Any
) -> None:
    worker.hello(cpus=4, gpus=GPUS)

    def use() -> dict[int, float]:
        with platform.database.read() as tx:
            return dict(run_rows.recent_use(tx, platform.now() - placing.RECENT, platform.now()))

    mina.run(None)
    ended = worker.take_one()
    ended.tell("started")
    clock.move(10)
    ended.end()
    stranger.run(None, gpus=2)
    running = worker.take_one()
    running.tell("started")
    clock.move(5)
    assert use() == {1: 10, 2: 2 * 5}
    clock.move(placing.RECENT - 10)
    assert use() == {1: 5, 2: 2 * (placing.RECENT - 5)}
    clock.move(20)
    assert use() == {2: 2 * placing.RECENT}


def test_the_machines_are_shown_with_as_many_questions_to_the_database_for_two_as_for_one(
    mina: Any, worker: Any, second: Any, platform: Any
) -> None:
    def count() -> int:
        asked: list[str] = []

        def note(_: Any, __: Any, statement: str, *___: Any) -> None:
            asked.append(statement)

        event.listen(platform.database.engine, "before_cursor_execute", note)
        assert mina.call("GET", "/nodes").status_code == 200
        event.remove(platform.database.engine, "before_cursor_execute", note)
        return len(asked)

    def busy(one: Any, name: str) -> None:
        one.hello(cpus=1)
        mina.run(None)
        attempt = one.take_one()
        attempt.tell("started")
        use = {str(attempt.run_id): {"memory": 2**20, "cpu": 1.0}}
        assert one.call("heartbeat", {"boxes": [[attempt.run_id, 1]], "use": use}).status_code == 200
        (node,) = (node for node in mina.call("GET", "/nodes").json()["nodes"] if node["name"] == name)
        assert (node["runs"], node["used_memory"]) == (1, 2**20)

    busy(worker, "node-1")
    one = count()
    busy(second, "node-2")
    assert count() == one
