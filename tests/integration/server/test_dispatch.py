"""When the dispatcher looks at the line: when something has changed that it depends on, and now and then."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from nsml_server.services import placing

TICKS = 9  # rounds, one a second, in which nothing happens


@pytest.fixture
def decided(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many places each look at the line gave out."""
    looks: list[int] = []
    place = placing.place_waiting

    def count(platform: Any) -> int:
        looks.append(place(platform))
        return looks[-1]

    monkeypatch.setattr(placing, "place_waiting", count)
    return looks


@pytest.fixture
def tick(app: Any, platform: Any, clock: Any) -> Callable[[], None]:
    """A second passes, and the dispatcher does what its thread would."""

    def pass_by() -> None:
        clock.move(1)
        app.state.dispatcher.run_once(rung=platform.bell.wait(0))

    return pass_by


@pytest.fixture
def crowd(mina: Any, worker: Any, tick: Any) -> Any:
    """One run that has the machine, and two that wait. Returns the first."""
    worker.hello(cpus=1)
    for _ in range(3):
        mina.run(None)
    attempt = worker.take_one()
    attempt.tell("started")
    tick()
    return attempt


def test_a_line_in_which_nothing_changes_is_looked_at_now_and_then_only(
    crowd: Any, worker: Any, decided: list[int], tick: Any
) -> None:
    for _ in range(TICKS):
        worker.heartbeat([crowd.run_id, 1])
        tick()
    assert decided == []
    tick()
    tick()
    assert decided == [0]


def test_a_run_that_ends_gives_its_place_away_in_the_same_second(crowd: Any, decided: list[int], tick: Any) -> None:
    crowd.end()
    tick()
    assert decided == [1]


@pytest.fixture
def changes(join: Any, mina: Any, worker: Any, crowd: Any, clock: Any) -> dict[str, Callable[[], Any]]:
    """What decides about places, by what changes it."""
    admin = join("root", admin=True)
    offer = {"cpus": 4, "memory": 2**33, "images": ["default"], "confinement": "bubblewrap"}
    box = [crowd.run_id, 1]

    def come_back() -> None:
        clock.move(31)  # longer than a lease
        worker.heartbeat(box)

    return {
        "a run is queued": lambda: mina.run(None),
        "a run is stopped": lambda: mina.call("POST", "/sessions/mina/None/2/stop"),
        "a run ends": crowd.end,
        "a machine comes": lambda: worker.hello([box]),
        "a machine offers something else": lambda: worker.call("heartbeat", {"boxes": [box], "capacity": offer}),
        "a machine is heard of again": come_back,
        "a machine is drained": lambda: admin.call("PATCH", "/nodes/node-1", json={"drained": True}),
        "a machine is taken away": lambda: admin.call("DELETE", "/nodes/node-1", params={"force": True}),
        "a credit is granted": lambda: admin.call("POST", "/credit/grants", json={"user": "mina", "credit": 5}),
    }


@pytest.mark.parametrize(
    "what",
    [
        "a run is queued",
        "a run is stopped",
        "a run ends",
        "a machine comes",
        "a machine offers something else",
        "a machine is heard of again",
        "a machine is drained",
        "a machine is taken away",
        "a credit is granted",
    ],
)
def test_whatever_decides_about_places_rings(
    changes: Any, platform: Any, decided: list[int], tick: Any, what: str
) -> None:
    platform.bell.wait(0)
    answer = changes[what]()
    assert answer is None or isinstance(answer, dict) or answer.status_code < 400, answer.text
    tick()
    assert len(decided) == 1


def test_a_grant_that_falls_due_rings(join: Any, mina: Any, clock: Any, platform: Any, tick: Any) -> None:
    wish = {"user": "mina", "credit": 5, "every": "hour"}
    assert join("root", admin=True).call("POST", "/credit/grants", json=wish).status_code < 400
    tick()
    platform.bell.wait(0)
    tick()
    assert not platform.bell.wait(0)
    clock.move(3601)
    tick()
    assert platform.bell.wait(0)


def test_what_outlived_its_lease_is_taken_back_and_placed_though_nobody_rang(
    mina: Any, worker: Any, crowd: Any, clock: Any, platform: Any, decided: list[int], app: Any
) -> None:
    for _ in range(3):
        clock.move(9)
        app.state.dispatcher.run_once()
    platform.bell.wait(0)
    decided.clear()
    clock.move(4)
    app.state.dispatcher.run_once(rung=False)
    assert mina.session("mina/None/1")["state"] == "queued"
    assert len(decided) == 1


def test_a_look_that_fails_is_done_in_the_next_round(
    crowd: Any, platform: Any, app: Any, monkeypatch: pytest.MonkeyPatch, decided: list[int]
) -> None:
    crowd.end()
    platform.bell.wait(0)
    counting = placing.place_waiting

    def fail(_: Any) -> int:
        raise OSError("the database is away")

    monkeypatch.setattr(placing, "place_waiting", fail)
    with pytest.raises(OSError, match="away"):
        app.state.dispatcher.run_once(rung=True)
    monkeypatch.setattr(placing, "place_waiting", counting)
    app.state.dispatcher.run_once(rung=False)
    assert decided == [1]


def test_bells_that_follow_each_other_are_answered_by_one_round(
    app: Any, platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatcher, rounds = app.state.dispatcher, []

    class Pause(threading.Event):
        """Somebody rings three times between the first round and the second; then it is over."""

        def wait(self, timeout: float | None = None) -> bool:
            for _ in range(3):
                platform.bell.ring()
            if len(rounds) == 2:
                self.set()
            return self.is_set()

    monkeypatch.setattr(dispatcher, "_over", Pause())
    monkeypatch.setattr(dispatcher, "run_once", lambda *, rung: rounds.append(rung))
    dispatcher._go()
    assert rounds == [True, True]
    assert platform.bell.wait(0) is False


def test_a_clock_that_is_set_back_stops_nothing(crowd: Any, clock: Any, app: Any, decided: list[int]) -> None:
    clock.move(-7200)
    app.state.dispatcher.run_once(rung=False)
    assert decided == [0]
