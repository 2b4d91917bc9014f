"""Whatever a worker does or fails to do, a run has one owner, ends once, and nobody is blamed for our faults."""

from typing import Any
from unittest.mock import Mock

import pytest

from nsml_server.services import dispatch
from nsml_server.storage.repositories import runs as run_rows


@pytest.fixture
def running(mina: Any, worker: Any) -> Any:
    """A training that runs."""
    mina.push()
    worker.hello()
    mina.run()
    attempt = worker.take_one()
    attempt.tell("started")
    return attempt


def test_an_expired_lease_is_placed_again_and_the_old_attempt_is_refused(mina: Any, worker: Any, running: Any) -> None:
    running.write("log", 0, b"half a li")
    worker.fall_silent(29)
    worker.hello(boxes=[[running.run_id, 1]])
    worker.fall_silent(29)
    assert mina.session("mina/kin/1")["state"] == "running"
    worker.fall_silent(2)
    assert mina.session("mina/kin/1")["state"] == "queued"
    worker.hello()
    second = worker.take_one()
    assert second.number == 2
    for late in (
        running.tell("ended", {"reason": "exited", "exit_code": 0}),
        running.write("log", 9, b"ne\n"),
        running.call("POST", "/claim", json={}),
        running.call("PUT", "/blobs/" + "0" * 64, content=b""),
        running.call("POST", "/blobs/missing", json={"hashes": []}),
    ):
        assert (late.status_code, late.json()["error"]["code"]) == (409, "attempt_over")
    second.tell("started")
    second.end()
    assert mina.session("mina/kin/1")["state"] == "exited"


def test_the_next_attempt_writes_behind_what_the_last_one_wrote(
    mina: Any, worker: Any, running: Any, platform: Any
) -> None:
    running.write("log", 0, b"half a li")
    running.write("events", 0, b'{"k":"rep')
    worker.fall_silent()
    worker.hello()
    second = worker.take_one()
    assert second.spec["log_base"] == platform.streams.size(second.run_id, "log")
    second.write("log", second.spec["log_base"], b"again\n")
    log = mina.call("GET", "/sessions/mina/kin/1/log").text
    assert log.startswith("half a li\n[nsml] ")
    assert log.endswith("(attempt 2).\nagain\n")
    assert platform.streams.read(second.run_id, "events", 0, 100) == b'{"k":"rep\n'


def test_a_worker_that_keeps_failing_ends_the_run_after_three_attempts_and_is_blamed_itself(
    mina: Any, worker: Any, running: Any
) -> None:
    attempt = running
    for number in (1, 2, 3):
        assert attempt.number == number
        attempt.end("node_error", detail="no space left")
        if number < 3:
            assert mina.session("mina/kin/1")["state"] == "queued"
            attempt = worker.take_one()
    session = mina.session("mina/kin/1")
    assert (session["state"], session["reason"]) == ("failed", "retries_exhausted")
    assert "Nothing you did" in session["message"]


def test_heartbeats_keep_a_lease(mina: Any, worker: Any, running: Any, clock: Any) -> None:
    for _ in range(10):
        clock.move(20)
        assert worker.heartbeat([running.run_id, 1]) == {"stop": [], "drop": []}
        worker.dispatch()
    assert mina.session("mina/kin/1")["state"] == "running"


def test_a_worker_that_comes_back_without_a_box_has_its_run_placed_again_at_once(
    mina: Any, worker: Any, running: Any
) -> None:
    assert worker.hello()["drop"] == []
    assert worker.take_one().number == 2


def test_a_worker_that_comes_back_with_a_box_keeps_it(mina: Any, worker: Any, running: Any) -> None:
    assert worker.hello(boxes=[[running.run_id, 1], [77, 1]])["drop"] == [[77, 1]]
    assert worker.take() == []
    running.end()
    assert mina.session("mina/kin/1")["state"] == "exited"


def test_a_message_lost_with_its_worker_is_sent_again_and_the_first_opens_nothing(mina: Any, worker: Any) -> None:
    mina.push()
    worker.hello()
    mina.run()
    (lost,) = worker.messages()
    worker.hello()
    (sent,) = worker.messages()
    assert sent.run_id == lost.run_id
    claim = f"/agent/v1/runs/{lost.run_id}/claim"
    assert worker.client.post(claim, headers={"Authorization": f"Bearer {lost.token}"}).status_code == 401
    assert worker.client.post(claim, headers={"Authorization": f"Bearer {sent.token}"}).status_code == 200


def test_a_claim_is_answered_the_same_twice(worker: Any, running: Any) -> None:
    assert running.call("POST", "/claim", json={}).json() == running.spec


def test_messages_wait_for_a_broker_that_is_away(mina: Any, worker: Any, platform: Any) -> None:
    mina.push()
    worker.hello()
    platform.broker.is_down = True
    mina.run()
    assert worker.messages() == []
    platform.broker.is_down = False
    assert len(worker.take()) == 1
    assert dispatch.send_waiting(platform) == 0


def test_a_goodbye_gives_a_worker_time_to_come_back_and_nothing_new(mina: Any, worker: Any, running: Any) -> None:
    worker.call("goodbye", {})
    mina.run()
    worker.fall_silent(60)
    assert mina.session("mina/kin/1")["state"] == "running"
    waiting = mina.session("mina/kin/2")["waiting"]
    assert "node-1" in waiting["text"]
    assert waiting["seconds"] == 60


@pytest.mark.parametrize("away", [40, 3600])
def test_a_server_that_was_away_takes_nothing_back_before_workers_could_renew(
    mina: Any, worker: Any, running: Any, clock: Any, away: float
) -> None:
    clock.move(away)
    worker.dispatch()
    assert mina.session("mina/kin/1")["state"] == "running"
    worker.fall_silent()
    assert mina.session("mina/kin/1")["state"] == "queued"


def test_a_server_that_begins_takes_nothing_back_before_workers_could_renew(
    mina: Any, worker: Any, running: Any, clock: Any, platform: Any
) -> None:
    clock.move(3600)
    dispatch.Dispatcher(platform).run_once()
    assert mina.session("mina/kin/1")["state"] == "running"


def test_a_database_that_was_away_takes_nothing_back_before_workers_could_renew(
    mina: Any, worker: Any, running: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as away:
        away.setattr(run_rows, "outstanding", Mock(side_effect=OSError("the database is away")))
        for _ in range(40):
            clock.move(1)
            with pytest.raises(OSError, match="away"):
                worker.dispatch()
    worker.dispatch()
    assert mina.session("mina/kin/1")["state"] == "running"


def test_a_queued_session_is_stopped_at_once(mina: Any, worker: Any) -> None:
    mina.push()
    mina.run()
    stopped = mina.call("POST", "/sessions/mina/kin/1/stop").json()
    assert (stopped["state"], stopped["final"], stopped["reason"]) == ("stopped", True, "stopped")
    worker.hello()
    assert worker.take() == []


def test_an_administrator_stops_anybody_s_session_and_its_owner_is_told_who_did(
    mina: Any, stranger: Any, join: Any, worker: Any, running: Any
) -> None:
    waiting = mina.run().json()["name"]
    assert stranger.call("POST", f"/sessions/{waiting}/stop").status_code == 404
    admin = join("root", admin=True)
    for name in (running.spec["session"], waiting):
        assert admin.call("POST", f"/sessions/{name}/stop").status_code == 200
    running.end(reason="stopped")
    for name in (running.spec["session"], waiting):
        session = mina.session(name)
        assert (session["state"], session["reason"]) == ("stopped", "stopped_by_operator")
        assert "operator stopped it" in session["message"]
    assert admin.call("POST", "/sessions/nobody/kin/1/stop").status_code == 404


def test_a_running_session_is_asked_to_stop_by_hint_and_by_heartbeat(mina: Any, worker: Any, running: Any) -> None:
    assert mina.call("POST", "/sessions/mina/kin/1/stop").json()["state"] == "stopping"
    assert [message.task for message in worker.messages()] == ["nsml.stop"]
    assert worker.heartbeat([running.run_id, 1])["stop"] == [[running.run_id, 1, "stopped"]]
    running.end("stopped")
    assert mina.session("mina/kin/1")["state"] == "stopped"
    assert mina.call("POST", "/sessions/mina/kin/1/stop").json()["state"] == "stopped"


def test_a_session_that_does_not_stop_is_ended_for_it(mina: Any, worker: Any, running: Any, clock: Any) -> None:
    mina.call("POST", "/sessions/mina/kin/1/stop")
    for _ in range(7):
        clock.move(10)
        worker.heartbeat([running.run_id, 1])
        worker.dispatch()
    assert mina.session("mina/kin/1")["state"] == "stopped"
    clock.move(6)
    assert worker.heartbeat([running.run_id, 1])["drop"] == [[running.run_id, 1]]


def test_a_worker_that_lost_a_submits_box_gets_it_scored_once(mina: Any, worker: Any, trained: str) -> None:
    mina.submit(trained)
    first = worker.take_one()
    first.tell("started")
    worker.fall_silent()
    assert mina.submission(1)["state"] == "predicting"
    worker.hello()
    second = worker.take_one()
    assert first.tell("ended", {"reason": "exited", "exit_code": 0}).status_code == 409
    second.tell("started")
    second.end(outputs={"prediction": b"1\n"})
    worker.score({"score": 0.5})
    assert mina.submission(1)["state"] == "scored"
    assert mina.call("GET", "/datasets/kin/board").json()["entries"][0]["count"] == 1


def test_a_submit_is_cancelled_with_no_worker_alive(mina: Any, worker: Any, trained: str, clock: Any) -> None:
    mina.submit(trained)
    clock.move(3600)
    cancelled = mina.call("POST", "/submissions/1/cancel").json()
    assert (cancelled["state"], cancelled["reason"], cancelled["final"]) == ("cancelled", "cancelled", True)
    worker.hello()
    assert worker.take() == []
    assert mina.call("POST", "/submissions/1/cancel").json() == {**cancelled, "version": cancelled["version"]}


def test_what_a_cancelled_prediction_still_answers_changes_nothing(mina: Any, worker: Any, trained: str) -> None:
    mina.submit(trained)
    predict = worker.take_one()
    predict.tell("started")
    mina.call("POST", "/submissions/1/cancel")
    predict.end(outputs={"prediction": b"1\n"})
    assert mina.submission(1)["state"] == "cancelled"
    assert [message.task for message in worker.messages()] in ([], ["nsml.stop"])


def test_a_training_waits_and_says_why_while_a_submit_goes_ahead(mina: Any, worker: Any, trained: str) -> None:
    worker.hello(cpus=1)
    mina.run()
    mina.run()
    assert len(worker.take()) == 1
    waiting = mina.session("mina/kin/3")["waiting"]
    assert waiting["position"] == 1
    assert "1 of 1 is in use" in waiting["text"]
    mina.submit(trained)
    assert [attempt.spec["kind"] for attempt in worker.take()] == ["predict"]
