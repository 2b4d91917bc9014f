"""What a living machine has not made ready, or not ended, in its time is ended for it, and is not tried again."""

from typing import Any


def allow(platform: Any, **limits: float) -> None:
    object.__setattr__(platform, "settings", platform.settings.model_copy(update=limits))


def beat(worker: Any, attempt: Any, seconds: float) -> None:
    """The machine is alive, and so is the server, for so long."""
    for _ in range(int(seconds // 10)):
        worker.platform.clock.move(10)
        worker.heartbeat([attempt.run_id, attempt.number])
        worker.dispatch()


def test_what_is_not_ready_in_time_ends_with_the_limit_and_the_last_word_and_is_not_tried_again(
    mina: Any, worker: Any, platform: Any
) -> None:
    allow(platform, prepare_limit=60.0)
    mina.push()
    worker.hello()
    mina.run()
    attempt = worker.take_one()
    attempt.tell("preparing", {"text": "Installing torch"})
    beat(worker, attempt, 60)
    assert mina.session("mina/kin/1")["state"] == "preparing"
    beat(worker, attempt, 10)
    session = mina.session("mina/kin/1")
    assert (session["state"], session["reason"]) == ("failed", "prepare_limit")
    assert "60 seconds" in session["message"]
    assert "Installing torch" in session["message"]
    assert attempt.tell("started").json()["error"]["code"] == "attempt_over"


def test_a_submit_that_is_not_ready_in_time_fails_with_it(mina: Any, worker: Any, trained: str, platform: Any) -> None:
    allow(platform, prepare_limit=60.0)
    mina.submit(trained)
    attempt = worker.take_one()
    beat(worker, attempt, 70)
    submission = mina.submission(1)
    assert (submission["state"], submission["reason"]) == ("failed", "prepare_limit")


def test_what_runs_on_beyond_its_time_limit_is_ended_for_its_worker_and_not_trained_anew(
    mina: Any, worker: Any, platform: Any
) -> None:
    allow(platform, train_limit=60.0)
    mina.push()
    worker.hello()
    mina.run()
    attempt = worker.take_one()
    attempt.tell("started")
    beat(worker, attempt, 170)
    assert mina.session("mina/kin/1")["state"] == "running"
    beat(worker, attempt, 20)
    session = mina.session("mina/kin/1")
    assert (session["state"], session["reason"]) == ("failed", "wall_clock")
    assert "60 seconds" in session["message"]


def test_an_end_that_could_not_be_told_while_the_server_was_away_is_not_taken_for_a_passed_deadline(
    mina: Any, worker: Any, trained: str, clock: Any
) -> None:
    mina.submit(trained)
    predict = worker.take_one()
    predict.tell("started")
    clock.move(24 * 3600)
    worker.dispatch()
    assert predict.end(outputs={"prediction": b"1\n"}).status_code == 200
    assert mina.submission(1)["state"] == "scoring"
