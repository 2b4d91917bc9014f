"""Credits are granted, spent to the second, and end what nobody can pay for; our own faults cost nothing."""

import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import pytest

from nsml_server.domain.credits import GPU_SECONDS
from nsml_server.domain.reasons import Reason, outcome
from nsml_server.domain.states import RunState
from nsml_server.services import caps, credits, runs
from nsml_server.storage.repositories import credits as rows
from nsml_server.storage.tables import Attempt, Run
from nsml_worker.contract import RunKind

GPUS = [{"uuid": f"GPU-{n}", "model": "Tesla P40", "memory": 2**34, "driver": "418.67"} for n in range(4)]
COSTS = [Reason.EXITED, Reason.EXIT_CODE, Reason.OUT_OF_MEMORY, Reason.STOPPED]
FREE = [Reason.RETRIES_EXHAUSTED, Reason.LEASE_LOST, Reason.EVALUATION_FAILED]


@pytest.fixture
def operator(join: Any) -> Any:
    return join("operator", admin=True)


@pytest.fixture
def give(operator: Any) -> Any:
    def grant(user: str, credit: int, **wish: Any) -> Any:
        answer = operator.call("POST", "/credit/grants", json={"user": user, "credit": credit, **wish})
        assert answer.status_code == 201, answer.text
        return answer.json()

    return grant


def balance(person: Any) -> Any:
    return person.call("GET", "/credit").json()["credit"]


def test_nobody_is_limited_before_the_first_grant(mina: Any, worker: Any, clock: Any) -> None:
    worker.hello(gpus=GPUS)
    mina.run(None, gpus=2)
    worker.take_one().tell("started")
    for _ in range(10):
        clock.move(20)
        worker.heartbeat([1, 1])
        worker.dispatch()
    assert balance(mina) is None
    assert mina.session("mina/None/1")["state"] == "running"


def test_a_session_costs_its_gpus_times_its_time_and_preparing_is_free(
    mina: Any, worker: Any, clock: Any, give: Any
) -> None:
    give("mina", 100, note="welcome")
    worker.hello(gpus=GPUS)
    mina.run(None, gpus=2)
    attempt = worker.take_one()
    clock.move(20)
    attempt.tell("started")
    clock.move(90)
    assert balance(mina) == 97
    attempt.end()
    told = mina.call("GET", "/credit").json()
    assert [(entry["kind"], entry["gpu_seconds"]) for entry in told["entries"]] == [("use", -180), ("grant", 6000)]
    assert told["credit"] == 97
    assert told["entries"][1]["note"] == "welcome"


def test_what_was_used_before_the_first_grant_is_free(mina: Any, worker: Any, clock: Any, give: Any) -> None:
    worker.hello(gpus=GPUS)
    mina.run(None, gpus=1)
    attempt = worker.take_one()
    attempt.tell("started")
    clock.move(3600)
    assert give("mina", 10)["credit"] == 10
    clock.move(60)
    attempt.end()
    assert balance(mina) == 9


def test_what_never_started_and_what_we_broke_costs_nothing(mina: Any, worker: Any, clock: Any, give: Any) -> None:
    give("mina", 10)
    worker.hello(gpus=GPUS)
    mina.run(None, gpus=1)
    worker.dispatch()
    mina.call("POST", "/sessions/mina/None/1/stop")
    worker.messages()
    mina.run(None, gpus=1)
    for _ in range(3):
        attempt = worker.take()[-1]
        attempt.tell("started")
        clock.move(25)
        worker.heartbeat([attempt.run_id, attempt.number])
        attempt.end("node_error")
    assert mina.session("mina/None/2")["reason"] == "retries_exhausted"
    assert balance(mina) == 10


def test_an_empty_balance_ends_sessions_with_time_to_save_and_keeps_what_they_saved(
    mina: Any, worker: Any, clock: Any, give: Any
) -> None:
    give("mina", 2)
    worker.hello(gpus=GPUS)
    mina.run(None, gpus=2)
    attempt = worker.take_one()
    attempt.tell("started")
    attempt.save("best")
    for _ in range(3):
        clock.move(20)
        worker.heartbeat([attempt.run_id, 1])
        worker.dispatch()
    assert worker.heartbeat([attempt.run_id, 1])["stop"] == [[attempt.run_id, 1, "out_of_credit"]]
    clock.move(10)
    attempt.save("last words")
    attempt.end("stopped")
    session = mina.session("mina/None/1")
    assert (session["state"], session["reason"], session["checkpoints"]) == ("stopped", "out_of_credit", 2)
    assert "nsmlctl resume mina/None/1" in session["message"]
    assert balance(mina) == 0


def test_without_credit_a_session_with_gpus_is_rejected_and_one_without_is_not(
    mina: Any, worker: Any, give: Any
) -> None:
    give("mina", 1)
    give("mina", -1)
    worker.hello(gpus=GPUS)
    rejected = mina.run(None, gpus=1)
    assert (rejected.status_code, rejected.json()["error"]["code"]) == (403, "not_enough_credit")
    assert "not enough credit (balance: 0)" in rejected.json()["error"]["message"]
    assert mina.run(None, gpus=0).status_code == 201


def test_without_credit_a_model_that_needs_gpus_is_not_submitted_nor_rehearsed(
    mina: Any, worker: Any, give: Any
) -> None:
    mina.push()
    worker.hello(gpus=GPUS)
    name = mina.run(gpus=1).json()["name"]
    worker.train()
    give("mina", 1)
    give("mina", -1)
    rejected = mina.submit(name)
    assert (rejected.status_code, rejected.json()["error"]["code"]) == (403, "not_enough_credit")
    give("mina", 1)
    assert mina.submit(name).status_code == 201


def test_an_end_that_is_told_late_costs_what_the_program_ran(mina: Any, worker: Any, clock: Any, give: Any) -> None:
    give("mina", 100)
    worker.hello(gpus=GPUS)
    mina.run(None, gpus=2)
    attempt = worker.take_one()
    attempt.tell("started")
    for _ in range(120):  # the lease is renewed, and the end is not heard of for an hour
        clock.move(30)
        worker.heartbeat([attempt.run_id, attempt.number])
    attempt.end(wall_seconds=60.0)
    assert balance(mina) == 98


def test_what_waits_when_the_credit_ends_waits_for_more(mina: Any, worker: Any, give: Any) -> None:
    give("mina", 1)
    mina.run(None, gpus=1)
    give("mina", -1)
    worker.hello(gpus=GPUS)
    assert worker.take() == []
    assert "waits for credit" in mina.session("mina/None/1")["waiting"]["text"]
    give("mina", 1)
    assert len(worker.take()) == 1


def test_a_schedule_pays_each_period_once_also_those_we_were_away_for(
    mina: Any, worker: Any, clock: Any, give: Any
) -> None:
    give("@everyone", 60, every="hour", ceiling=150)
    assert balance(mina) == 60
    clock.move(3600)
    worker.dispatch()
    worker.dispatch()
    assert balance(mina) == 120
    clock.move(5 * 3600)
    worker.dispatch()
    assert balance(mina) == 150


def test_who_comes_later_has_a_share_of_what_everybody_gets(join: Any, worker: Any, give: Any, operator: Any) -> None:
    give("@everyone", 60, every="day")
    late = join("late")
    worker.dispatch()
    assert balance(late) == 60
    (schedule,) = late.call("GET", "/credit").json()["schedules"]
    assert operator.call("DELETE", f"/credit/schedules/{schedule['id']}").status_code == 204
    newest = join("newest")
    worker.dispatch()
    assert balance(newest) is None


def test_only_an_administrator_grants_and_sees_others(mina: Any, stranger: Any, give: Any) -> None:
    give("mina", 5)
    assert stranger.call("GET", "/credit?user=mina").status_code == 403
    assert stranger.call("POST", "/credit/grants", json={"user": "stranger", "credit": 5}).status_code == 403
    assert stranger.call("DELETE", "/credit/schedules/1").status_code == 403


@dataclass
class Reckoning:
    """An independent account of what everybody owes, in whole milliseconds."""

    platform: Any
    clock: Any
    milliseconds: int = 0
    granted: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    owed: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    live: dict[int, tuple[int, int, int]] = field(default_factory=dict)  # run: user, gpus, begin

    def pass_time(self, milliseconds: int) -> None:
        self.milliseconds += milliseconds
        self.clock.move(milliseconds / 1000)

    def begin(self, tx: Any, user: int, session: int, gpus: int) -> None:
        run = Run(kind=RunKind.TRAIN, user_id=user, session_id=session, state=RunState.QUEUED, cpus=1, gpus=gpus)
        run.image, run.queued_at = "default", self.platform.now()
        tx.add(run)
        tx.flush()
        self._start(tx, run)
        self.live[run.id] = (user, gpus, self.milliseconds)

    def restart(self, tx: Any, run_id: int) -> None:
        """By our own fault: what was used until now is not owed."""
        run = runs.find(tx, run_id)
        runs.queue_again(self.platform, tx, run, blame=True)
        self._start(tx, run)
        user, gpus, _ = self.live[run_id]
        self.live[run_id] = (user, gpus, self.milliseconds)

    def end(self, tx: Any, run_id: int, reason: Reason) -> None:
        runs.end(self.platform, tx, runs.find(tx, run_id), outcome(reason).state, reason, None)
        user, gpus, begin = self.live.pop(run_id)
        if reason in COSTS:
            self.owed[user] += gpus * ((self.milliseconds - begin) // 1000)

    def expect(self, user: int) -> int:
        running = sum(
            gpus * ((self.milliseconds - begin) // 1000) for who, gpus, begin in self.live.values() if who == user
        )
        return self.granted[user] - self.owed[user] - running

    def _start(self, tx: Any, run: Run) -> None:
        runs.move(self.platform, tx, run, RunState.PLACED, attempt=run.attempt + 1, node_id=1)
        tx.add(Attempt(run_id=run.id, number=run.attempt, node_id=1, token=f"{run.id}/{run.attempt}", placed_at=0.0))
        tx.flush()
        runs.move(self.platform, tx, run, RunState.PREPARING)
        runs.move(self.platform, tx, run, RunState.RUNNING, started_at=self.platform.now())


def test_a_thousand_overlapping_runs_are_charged_to_the_second(
    platform: Any, clock: Any, join: Any, worker: Any
) -> None:
    rng, reckoning, sessions = random.Random(20180420), Reckoning(platform, clock), {}
    for name in ("ann", "bob", "cho", "dan"):
        join(name).run(None)
        with platform.database.write() as tx:
            own = credits.accounts.user_named(tx, name)
            (session,) = [run.session_id for run in tx.query(Run).filter_by(user_id=own.id)]
            credits.grant(platform, tx, name, 10**6)
        sessions[own.id], reckoning.granted[own.id] = session, 10**6 * GPU_SECONDS
    begun = 0
    while begun < 1000 or reckoning.live:
        with platform.database.write() as tx:
            for _ in range(50):
                reckoning.pass_time(rng.randrange(40_000))
                known, choice = list(reckoning.live), rng.random()
                if begun < 1000 and (choice < 0.5 or not known):
                    user = rng.choice(list(sessions))
                    reckoning.begin(tx, user, sessions[user], rng.randrange(5))
                    begun += 1
                elif known and choice < 0.6:
                    reckoning.restart(tx, rng.choice(known))
                elif known:
                    reckoning.end(tx, rng.choice(known), rng.choice(COSTS if choice < 0.95 else FREE))
        caps.enforce(platform)
        with platform.database.read() as tx:
            assert credits.balances(platform, tx) == {user: reckoning.expect(user) for user in sessions}
    with platform.database.read() as tx:
        for user in sessions:
            assert rows.sum_of(tx, user) == rows.account_of(tx, user).balance == reckoning.expect(user)


@pytest.mark.parametrize("seed", range(5))
def test_no_balance_goes_below_zero_however_late_we_look(
    platform: Any, clock: Any, mina: Any, worker: Any, give: Any, seed: int
) -> None:
    rng = random.Random(seed)
    give("mina", 30)
    worker.hello(gpus=GPUS, cpus=4)
    for gpus in (1, 1, 2):
        mina.run(None, gpus=gpus)
    attempts = worker.take()
    for attempt in attempts:
        clock.move(rng.uniform(0, 100))
        attempt.tell("started")
    while any(run.state is RunState.RUNNING for run in _runs(platform)):
        clock.move(rng.uniform(0, 25))
        worker.heartbeat(*([attempt.run_id, 1] for attempt in attempts))
        worker.dispatch()
    for attempt in attempts:
        clock.move(rng.uniform(0, 10))
        attempt.end("stopped")
    assert balance(mina) == 0
    assert sum(entry["gpu_seconds"] for entry in mina.call("GET", "/credit").json()["entries"]) == 0
    assert {run.reason for run in _runs(platform)} == {"out_of_credit"}


def _runs(platform: Any) -> list[Run]:
    with platform.database.read() as tx:
        return list(tx.query(Run))
