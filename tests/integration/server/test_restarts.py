"""A training whose machine was lost goes on where it last saved, if its program can; else it begins anew."""

from typing import Any

import pytest

GOES_ON = b"""
import argparse
import nsml

parser = argparse.ArgumentParser()
parser.add_argument('--mode', default='train')
parser.add_argument('--pause', type=int, default=0)
parser.add_argument('--iteration', default='0')
args = parser.parse_args()
nsml.bind(save=print, load=print)
if args.pause:
    nsml.paused(scope=locals())
"""
AS_A_FORK = ["--pause", "1", "--iteration"]


def start(mina: Any, worker: Any, source: bytes = GOES_ON, **wish: Any) -> Any:
    if mina.call("GET", "/datasets/kin").status_code == 404:
        mina.push()
    worker.hello()
    mina.run(files={"main.py": source}, **wish)
    attempt = worker.take_one()
    attempt.tell("started")
    return attempt


def lose(worker: Any, clock: Any) -> Any:
    """The machine falls silent; another takes the run."""
    worker.fall_silent()
    worker.hello()
    return worker.take_one()


def test_a_lost_training_goes_on_from_its_last_checkpoint(mina: Any, worker: Any, clock: Any) -> None:
    first = start(mina, worker, args="--epochs 9 --mode finetune")
    first.write("log", 0, b"epoch 2\n")
    first.save("1")
    first.save("2")
    second = lose(worker, clock)
    assert second.spec["argv"][3:] == ["--epochs", "9", "--mode", "finetune", *AS_A_FORK, "2"]
    assert second.spec["environment"]["NSML_MODE"] == "fork"
    assert second.spec["environment"]["NSML_CHECKPOINT"] == "2"
    assert second.mounted("/nsml/checkpoint") == ["model"]
    model = next(m for m in second.spec["mounts"] if m["target"] == "/nsml/checkpoint")["tree"]["files"][0]["hash"]
    assert second.call("GET", f"/blobs/{model}").content == b"weights of 2"
    assert "goes on from checkpoint 2 (attempt 2)" in mina.call("GET", "/sessions/mina/kin/1/log").text
    assert mina.session("mina/kin/1")["type"] == "normal"


def test_an_attempt_keeps_the_start_it_was_given_though_more_is_saved(mina: Any, worker: Any, clock: Any) -> None:
    start(mina, worker).save("1")
    second = lose(worker, clock)
    second.tell("started")
    second.save("2")
    again = second.call("POST", "/claim", json={}).json()
    assert again["argv"][-1] == "1"
    assert lose(worker, clock).spec["argv"][-1] == "2"


def test_one_that_saved_nothing_begins_anew(mina: Any, worker: Any, clock: Any) -> None:
    start(mina, worker)
    second = lose(worker, clock)
    assert second.spec["argv"] == ["python", "-u", "main.py"]
    assert second.spec["environment"]["NSML_MODE"] == "train"


@pytest.mark.parametrize(
    "source",
    [
        GOES_ON.replace(b"iteration", b"repetition"),
        GOES_ON.replace(b"'--pause'", b"'--break'"),
        GOES_ON.replace(b"nsml.paused(scope=locals())", b"pass"),
        b"print 'Python 2'\n" + GOES_ON,
    ],
)
def test_a_program_that_does_not_take_iteration_begins_anew(mina: Any, worker: Any, clock: Any, source: bytes) -> None:
    start(mina, worker, source).save("1")
    assert lose(worker, clock).spec["argv"] == ["python", "-u", "main.py"]


def test_a_program_that_refuses_after_all_begins_anew_and_is_not_failed(mina: Any, worker: Any, clock: Any) -> None:
    start(mina, worker).save("1")
    second = lose(worker, clock)
    second.tell("started")
    said = b"usage: main.py\nmain.py: error: unrecognized arguments: --pause 1 --iteration 1\n"
    second.write("log", second.spec["log_base"], said)
    second.tell("ended", {"reason": "exit_code", "exit_code": 2})
    assert mina.session("mina/kin/1")["state"] == "queued"
    third = worker.take_one()
    assert third.spec["argv"] == ["python", "-u", "main.py"]
    third.tell("started")
    third.end()
    assert mina.session("mina/kin/1")["state"] == "exited"


def test_a_lost_fork_goes_on_from_its_own_checkpoint_and_not_from_its_origins(
    mina: Any, worker: Any, trained: str, clock: Any
) -> None:
    mina.call("POST", f"/sessions/{trained}/fork", json={"checkpoint": "1"})
    first = worker.take_one()
    first.tell("started")
    first.save("7")
    assert lose(worker, clock).spec["argv"][-1] == "7"


def test_a_resumed_training_can_still_be_stopped_and_fails_as_any_other(mina: Any, worker: Any, clock: Any) -> None:
    start(mina, worker).save("1")
    second = lose(worker, clock)
    second.tell("started")
    second.tell("ended", {"reason": "exit_code", "exit_code": 3})
    assert "exit code 3" in mina.session("mina/kin/1")["message"]
