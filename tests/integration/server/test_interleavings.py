"""Two who move the same run, or the same board, at the same moment: on PostgreSQL they really are two.

One holds a transaction open, the other begins; then the first commits. What the second does has to fit what the first did.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from nsml_server.domain.reasons import Reason
from nsml_server.domain.states import RunState
from nsml_server.services import endings, leases, placing, runs, submissions
from nsml_server.services.accounts import Caller
from nsml_server.storage.repositories import runs as run_rows
from nsml_server.storage.tables import Attempt, Run
from nsml_worker.contract import Collected, Ended, EndReason

pytestmark = pytest.mark.postgres
PATIENCE = 120.0  # seconds

Begin = Callable[..., Future[Any]]


@pytest.fixture
def rows(postgres: Any) -> Iterator[str]:
    """Only here are two writers at work at once."""
    url = postgres.make()
    yield url
    postgres.drop(url)


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Do something in a thread of its own."""
    with ThreadPoolExecutor(1) as others:
        yield others.submit


@pytest.fixture
def begin_and_wait(begin: Begin, platform: Any) -> Begin:
    """The same, and return when it waits for a lock."""

    def go(*call: Any) -> Future[Any]:
        future, until = begin(*call), time.monotonic() + PATIENCE
        with platform.database.engine.connect() as connection:
            while not connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                assert not future.done(), "it did not wait"
                assert time.monotonic() < until
                connection.rollback()
                time.sleep(0.01)
        return future

    return go


@pytest.fixture
def running(mina: Any, worker: Any) -> Any:
    """A training that runs."""
    mina.push()
    worker.hello()
    mina.run()
    attempt = worker.take_one()
    attempt.tell("started")
    return attempt


def run_of(platform: Any, run_id: int) -> Run:
    with platform.database.read() as tx:
        return runs.find(tx, run_id)


@pytest.mark.parametrize(("told", "becomes"), [("paused", "stopping"), ("ended", "exited")])
def test_what_a_worker_tells_while_it_is_asked_to_stop_is_taken(
    mina: Any, running: Any, platform: Any, begin_and_wait: Begin, told: str, becomes: str
) -> None:
    facts = {"reason": "exited", "exit_code": 0} if told == "ended" else {}
    with platform.database.write() as tx:
        runs.ask_to_stop(platform, tx, runs.find(tx, running.run_id))
        telling = begin_and_wait(running.tell, told, facts)
    assert telling.result(PATIENCE).status_code == 200
    assert mina.session("mina/kin/1")["state"] == becomes


def test_a_stop_that_meets_an_end_finds_it_ended(mina: Any, running: Any, platform: Any, begin_and_wait: Begin) -> None:
    with platform.database.write() as tx:
        run = runs.hold(tx, running.run_id)
        endings.conclude(platform, tx, run, Reason.EXITED, Ended(EndReason.EXITED, exit_code=0))
        stopping = begin_and_wait(mina.call, "POST", "/sessions/mina/kin/1/stop")
    assert stopping.result(PATIENCE).json()["state"] == "exited"


def place(platform: Any, tx: Any, run_id: int, node_id: int) -> None:
    run, until = runs.hold(tx, run_id), platform.now() + 30
    runs.move(platform, tx, run, RunState.PLACED, attempt=1, node_id=node_id, lease_until=until)
    tx.add(Attempt(run_id=run_id, number=1, node_id=node_id, token="0" * 64, placed_at=platform.now()))
    tx.flush()


def test_a_stop_that_meets_a_placement_stops_it(mina: Any, worker: Any, platform: Any, begin_and_wait: Begin) -> None:
    mina.push()
    worker.hello()
    mina.run()
    with platform.database.write() as tx:
        place(platform, tx, 1, 1)
        stopping = begin_and_wait(mina.call, "POST", "/sessions/mina/kin/1/stop")
    assert stopping.result(PATIENCE).json()["state"] == "stopped"


def test_a_run_that_is_stopped_during_a_round_takes_no_other_s_place_from_it(
    mina: Any, worker: Any, platform: Any, begin: Begin
) -> None:
    mina.push()
    worker.hello()
    mina.run()
    mina.run()
    with platform.database.write() as tx:
        runs.ask_to_stop(platform, tx, runs.find(tx, 1))
        assert begin(placing.place_waiting, platform).result(PATIENCE) == 1
    assert [run_of(platform, number).state for number in (1, 2)] == [RunState.STOPPED, RunState.PLACED]


def test_a_run_that_is_claimed_while_leases_are_looked_at_is_not_taken_back(
    mina: Any, worker: Any, platform: Any, clock: Any, begin: Begin
) -> None:
    mina.push()
    worker.hello()
    mina.run()
    worker.dispatch()
    clock.move(31)
    with platform.database.write() as tx:
        runs.move(platform, tx, runs.hold(tx, 1), RunState.PREPARING, lease_until=platform.now() + 30)
        assert begin(leases.sweep, platform).result(PATIENCE) == 0
    assert leases.sweep(platform) == 0
    with platform.database.read() as tx:
        run = runs.find(tx, 1)
        assert (run.state, runs.attempt_of(tx, run).ended_at) == (RunState.PREPARING, None)


def test_a_sign_of_life_does_not_wait_for_a_run_that_is_moved_and_renews_the_others(
    mina: Any, worker: Any, running: Any, platform: Any, clock: Any, begin: Begin
) -> None:
    mina.run()
    other = worker.take_one()
    clock.move(20)
    with platform.database.write() as tx:
        runs.hold(tx, running.run_id)
        beat = begin(worker.heartbeat, [running.run_id, 1], [other.run_id, 1])
        assert beat.result(PATIENCE) == {"stop": [], "drop": []}
    assert run_of(platform, other.run_id).lease_until == platform.now() + 30


def test_an_end_that_meets_a_cancel_ends_no_other_way(
    mina: Any, worker: Any, trained: str, platform: Any, begin_and_wait: Begin
) -> None:
    mina.submit(trained)
    predict = worker.take_one()
    predict.tell("started")
    with platform.database.write() as tx:
        submissions.cancel(platform, tx, submissions.find(tx, caller_of(tx), 1))
        ending = begin_and_wait(predict.end, "exited")
    assert ending.result(PATIENCE).status_code == 200
    assert mina.submission(1)["state"] == "cancelled"
    assert worker.take() == []


def test_a_cancel_that_meets_the_end_of_a_prediction_ends_its_scoring_too(
    mina: Any, worker: Any, trained: str, platform: Any, begin_and_wait: Begin
) -> None:
    mina.submit(trained)
    predict = worker.take_one()
    predict.tell("started")
    stored = Collected("prediction", 2, predict.store(b"1\n"))
    with platform.database.write() as tx:
        run = runs.hold(tx, predict.run_id)
        endings.conclude(platform, tx, run, Reason.EXITED, Ended(EndReason.EXITED, exit_code=0, outputs=(stored,)))
        cancelling = begin_and_wait(mina.call, "POST", "/submissions/1/cancel")
    assert cancelling.result(PATIENCE).json()["state"] == "cancelled"
    with platform.database.read() as tx:
        ended = {run.state for run in run_rows.of_submission(tx, 1).values()}
    assert ended == {RunState.EXITED, RunState.STOPPED}


def caller_of(tx: Any) -> Caller:
    return Caller(runs.find(tx, 1).user_id, "mina", False)


@pytest.fixture
def scoring(mina: Any, worker: Any, trained: str) -> list[Any]:
    """Two submits of mina's whose scores are about to land, and no score on the board yet."""
    mina.submit(trained, "1")
    mina.submit(trained, "2")
    for attempt in worker.take():
        attempt.tell("started")
        attempt.end(outputs={"prediction": b"1\n"})
    attempts = worker.take()
    for attempt in attempts:
        attempt.tell("started")
    return attempts


def land(platform: Any, tx: Any, attempt: Any, score: float) -> None:
    run = runs.hold(tx, attempt.run_id)
    runs.end(platform, tx, run, RunState.EXITED, Reason.EXITED, None, 0)
    submissions.land_score(platform, tx, run, score)


def board(mina: Any) -> list[tuple[float, int]]:
    entries = mina.call("GET", "/datasets/kin/board").json()["entries"]
    return [(entry["score"], entry["count"]) for entry in entries]


def test_the_first_two_scores_of_somebody_may_land_at_once(
    mina: Any, scoring: Any, platform: Any, begin_and_wait: Begin
) -> None:
    first, second = scoring
    with platform.database.write() as tx:
        land(platform, tx, first, 0.25)
        landing = begin_and_wait(second.end, "exited", {"score.json": b'{"score": 0.75}'})
    assert landing.result(PATIENCE).status_code == 200
    assert board(mina) == [(0.75, 2)]


def test_a_score_that_lands_while_the_order_is_turned_round_is_on_the_board(
    mina: Any, scoring: Any, platform: Any, begin_and_wait: Begin
) -> None:
    first, second = scoring
    first.end(outputs={"score.json": b'{"score": 0.75}'})
    with platform.database.write() as tx:
        land(platform, tx, second, 0.25)
        turning = begin_and_wait(lambda: mina.call("PATCH", "/datasets/kin", json={"order": "ascending"}))
    assert turning.result(PATIENCE).status_code == 200
    assert board(mina) == [(0.25, 2)]
