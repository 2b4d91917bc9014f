"""Many at the same instant: numbers without gaps, keys that hold, two submits that are two."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest


@pytest.fixture
def at_once(app: Any) -> Any:
    """Call functions in as many threads, released together. Each makes a client of its own."""

    def go(*functions: Any) -> list[Any]:
        barrier = threading.Barrier(len(functions))

        def call(function: Any) -> Any:
            barrier.wait()
            return function()

        with ThreadPoolExecutor(len(functions)) as people:
            return list(people.map(call, functions))

    return go


def test_two_submits_at_the_same_instant_are_two_rows(mina: Any, worker: Any, trained: str, at_once: Any) -> None:
    answers = at_once(lambda: mina.submit(trained, key="a"), lambda: mina.submit(trained, key="b"))
    assert [answer.status_code for answer in answers] == [201, 201]
    assert {answer.json()["id"] for answer in answers} == {1, 2}
    assert [attempt.spec["kind"] for attempt in worker.take()] == ["predict", "predict"]


def test_the_same_submit_eight_times_at_once_is_one_row(mina: Any, worker: Any, trained: str, at_once: Any) -> None:
    answers = at_once(*[lambda: mina.submit(trained, key="once")] * 8)
    assert {answer.json()["id"] for answer in answers} == {1}
    assert len(worker.take()) == 1


def test_numbers_have_no_gap_when_runs_come_at_once_and_some_are_refused(mina: Any, at_once: Any) -> None:
    mina.push()
    bad = [lambda: mina.run(entry="missing.py")] * 4
    answers = at_once(*[mina.run] * 12, *bad)
    names = sorted(answer.json()["number"] for answer in answers if answer.status_code == 201)
    assert names == list(range(1, 13))
    assert sum(answer.status_code == 422 for answer in answers) == 4


# On SQLite two hundred go through the whole platform: tests/e2e/test_crowds.py.
@pytest.mark.parametrize("rows", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
def test_two_hundred_queued_sessions_all_end(mina: Any, worker: Any) -> None:
    mina.push()
    worker.hello(cpus=8)
    for _ in range(200):
        assert mina.run().status_code == 201
    ended = 0
    while taken := worker.take():
        assert len(taken) <= 8
        for attempt in taken:
            attempt.tell("started")
            attempt.end()
            ended += 1
    assert ended == 200
    sessions = mina.call("GET", "/sessions?all=1").json()["sessions"]
    assert {session["state"] for session in sessions} == {"exited"}
    assert [session["number"] for session in sessions] == list(range(200, 0, -1))


def test_the_same_key_gives_the_same_session_and_another_key_another(mina: Any) -> None:
    mina.push()
    names = [mina.run(key=key).json()["name"] for key in ("a", "a", "b")]
    assert names == ["mina/kin/1", "mina/kin/1", "mina/kin/2"]


def test_a_key_belongs_to_its_user_and_to_one_kind_of_request(
    mina: Any, stranger: Any, worker: Any, trained: str
) -> None:
    assert mina.submit(trained, key="k").json()["id"] == 1
    assert mina.run(key="k").json()["error"]["code"] == "conflict"
    assert stranger.run(dataset=None, key="k").json()["name"] == "stranger/None/1"
