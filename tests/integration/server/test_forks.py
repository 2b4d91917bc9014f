"""Sessions that begin where another one stood: forked, resumed, served."""

from typing import Any

import pytest


def post(person: Any, verb: str, name: str, key: str | None = None, **wish: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return person.call("POST", f"/sessions/{name}/{verb}", json=wish, headers=headers)


def test_a_fork_trains_on_from_the_newest_checkpoint_with_the_arguments_of_its_origin(
    mina: Any, worker: Any, trained: str
) -> None:
    forked = post(mina, "fork", trained)
    assert forked.status_code == 201
    session = forked.json()
    assert (session["name"], session["type"], session["origin"], session["origin_checkpoint"]) == (
        "mina/kin/2",
        "normal/fork",
        trained,
        "2",
    )
    attempt = worker.take_one()
    reserved = ["--pause", "1", "--iteration", "2"]
    assert attempt.spec["argv"] == ["python", "-u", "main.py", *reserved]
    assert attempt.spec["environment"]["NSML_MODE"] == "fork"
    assert attempt.spec["environment"]["NSML_CHECKPOINT"] == "2"
    assert attempt.mounted("/nsml/checkpoint") == ["model"]
    assert attempt.mounted("/data/kin") == ["data_loader.py", "train/train_data", "train/train_label"]
    assert attempt.spec["keep_checkpoints"]


def test_a_fork_may_have_another_checkpoint_arguments_entry_and_resources(mina: Any, worker: Any, trained: str) -> None:
    wish = {"checkpoint": "1", "args": "--lr 2", "entry": "other.py", "memo": "slower", "cpus": 2, "memory": 2**30}
    session = post(mina, "fork", trained, **wish).json()
    assert (session["args"], session["entry"], session["memo"], session["cpus"]) == ("--lr 2", "other.py", "slower", 2)
    spec = worker.take_one().spec
    assert spec["argv"][2:5] == ["other.py", "--lr", "2"]
    assert spec["argv"][-1] == "1"
    assert spec["limits"]["memory"] == 2**30


def test_a_fork_can_be_submitted_and_forked_again(mina: Any, worker: Any, trained: str) -> None:
    fork = post(mina, "fork", trained).json()["name"]
    assert post(mina, "fork", fork).json()["origin_checkpoint"] == "2", (
        "it has saved nothing: what it began with counts"
    )
    first, second = worker.take()
    for attempt in (first, second):
        attempt.tell("started")
    first.save("3")
    first.end()
    second.end()
    assert post(mina, "fork", fork).json()["origin_checkpoint"] == "3"
    assert mina.submit(fork).json()["checkpoint"] == "3"


def test_the_same_request_forks_once(mina: Any, trained: str) -> None:
    names = {post(mina, "fork", trained, key="k").json()["name"] for _ in range(2)}
    assert names == {"mina/kin/2"}


@pytest.mark.parametrize(
    ("wish", "status", "code"),
    [
        ({"checkpoint": "9"}, 404, "no_such_checkpoint"),
        ({"entry": "gone.py"}, 422, "entry_missing"),
        ({"args": '"'}, 422, "invalid"),
        ({"unknown": 1}, 422, "malformed"),
    ],
)
def test_a_fork_that_cannot_be_is_refused_and_takes_no_number(
    mina: Any, trained: str, wish: dict[str, Any], status: int, code: str
) -> None:
    refused = post(mina, "fork", trained, **wish)
    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    assert post(mina, "fork", trained).json()["name"] == "mina/kin/2"


def test_a_session_that_saved_nothing_cannot_be_forked(mina: Any, worker: Any) -> None:
    mina.push()
    worker.hello()
    name = mina.run().json()["name"]
    refused = post(mina, "fork", name).json()["error"]
    assert refused["code"] == "no_checkpoint"


GOES_ON = {
    "main.py": b"""
import argparse, nsml
parser = argparse.ArgumentParser()
parser.add_argument('--mode')
parser.add_argument('--pause', type=int)
parser.add_argument('--iteration')
args = parser.parse_args()
if args.pause:
    nsml.paused(scope=locals())
"""
}
CANNOT = {"main.py": GOES_ON["main.py"].replace(b"--iteration", b"--epochs")}


def test_a_failed_session_is_resumed_from_its_last_checkpoint(mina: Any, worker: Any) -> None:
    mina.push()
    worker.hello()
    name = mina.run(args="--epochs 3", files=GOES_ON).json()["name"]
    attempt = worker.take_one()
    attempt.tell("started")
    attempt.save("1")
    assert post(mina, "resume", name).json()["error"]["code"] == "not_ended"
    attempt.end("exit_code")
    session = post(mina, "resume", name).json()
    assert (session["args"], session["memo"], session["origin"]) == ("--epochs 3", f"resume of {name}", name)
    assert worker.take_one().spec["argv"][3:] == [
        *("--epochs", "3", "--pause", "1", "--iteration", "1"),
    ]


def end_saved(mina: Any, worker: Any, files: dict[str, bytes]) -> str:
    """A session that saved "1" and was stopped."""
    if mina.call("GET", "/datasets/kin").status_code == 404:
        mina.push()
    worker.hello()
    name = str(mina.run(files=files, args="--lr 1").json()["name"])
    attempt = worker.take_one()
    attempt.tell("started")
    attempt.save("1")
    attempt.end("stopped")
    return name


def test_a_program_that_cannot_take_a_checkpoint_is_resumed_anew_and_that_is_told(mina: Any, worker: Any) -> None:
    name = end_saved(mina, worker, CANNOT)
    session = post(mina, "resume", name).json()
    assert (session["type"], session["origin"], session["origin_checkpoint"]) == ("normal", name, None)
    (notice,) = session["notices"]
    assert notice.startswith("Begun anew, not at checkpoint 1: the program does not take `--pause 1 --iteration NAME`")
    assert f"`nsmlctl fork {name}`" in notice
    attempt = worker.take_one()
    assert attempt.spec["argv"] == ["python", "-u", "main.py", "--lr", "1"]
    attempt.end()
    assert notice in mina.call("GET", f"/sessions/{session['name']}/log").text


def test_a_fork_that_saved_something_took_its_arguments_whatever_its_source_shows(mina: Any, worker: Any) -> None:
    fork = post(mina, "fork", end_saved(mina, worker, CANNOT)).json()["name"]
    attempt = worker.take_one()
    attempt.tell("started")
    attempt.save("2")
    attempt.end("stopped")
    session = post(mina, "resume", fork).json()
    assert (session["origin_checkpoint"], session["notices"]) == ("2", [])


def test_a_fork_that_fell_over_its_arguments_is_resumed_anew(mina: Any, worker: Any) -> None:
    fork = post(mina, "fork", end_saved(mina, worker, CANNOT)).json()["name"]
    worker.take_one().end("exit_code")
    session = post(mina, "resume", fork).json()
    assert session["origin_checkpoint"] is None
    assert "not at checkpoint 1" in session["notices"][0]


def test_a_session_that_saved_nothing_is_resumed_from_its_beginning(mina: Any, worker: Any) -> None:
    mina.push()
    worker.hello()
    name = mina.run().json()["name"]
    mina.call("POST", f"/sessions/{name}/stop")
    session = post(mina, "resume", name).json()
    assert (session["type"], session["origin"], session["origin_checkpoint"]) == ("normal", name, None)
    spec = worker.take_one().spec
    assert spec["argv"] == ["python", "-u", "main.py"]
    assert spec["environment"]["NSML_MODE"] == "train"


def test_a_served_model_may_stand_beside_another_dataset_and_run_another_entry(
    mina: Any, worker: Any, trained: str
) -> None:
    mina.push("other")
    session = post(mina, "infer", trained, checkpoint="1", dataset="other", entry="other.py").json()
    assert (session["name"], session["type"], session["origin"]) == ("mina/other/1", "infer", trained)
    spec = worker.take_one().spec
    assert spec["kind"] == "serve"
    assert spec["argv"] == ["python", "-u", "other.py", "--mode", "infer", "--pause", "1"]
    assert spec["environment"]["NSML_MODE"] == "serve"
    assert spec["dataset"] == "other"
    assert "test/test_data" not in [file["path"] for mount in spec["mounts"] for file in mount["tree"]["files"]]


def test_a_served_model_has_no_checkpoint_and_names_the_session_that_has(mina: Any, worker: Any, trained: str) -> None:
    served = post(mina, "infer", trained).json()["name"]
    refused = mina.submit(served).json()["error"]
    assert refused["code"] == "no_checkpoint"
    assert refused["message"] == f"{served} answers with a checkpoint of {trained} and saves none of its own."
    assert refused["hint"] == f"Name that session instead: {trained}."
    worker.take_one().end()
    asked = mina.call("POST", f"/sessions/{served}/ask", json={"do": "exec", "code": "x"}).json()["error"]
    assert asked["hint"] == f"Start one from its checkpoint: `nsmlctl infer {trained}`."


def test_nobody_forks_what_is_not_theirs(stranger: Any, trained: str) -> None:
    for verb in ("fork", "resume", "infer"):
        assert post(stranger, verb, trained).status_code == 404


def test_a_fork_may_run_in_another_image_that_is_known(mina: Any, join: Any, worker: Any, trained: str) -> None:
    join("root", admin=True).call("PUT", "/images/old", json={"target": "python:/opt/old/bin/python"})
    session = post(mina, "fork", trained, image="old").json()
    assert session["image"] == "old"
    spec = worker.take_one().spec
    assert (spec["image"], spec["environment_of"]["interpreter"]) == ("old", "/opt/old/bin/python")
    refused = post(mina, "fork", trained, image="nobody/knows:1")
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "unknown_image")


def test_a_fork_that_refuses_its_arguments_is_told_what_to_add(mina: Any, worker: Any, trained: str) -> None:
    name = post(mina, "fork", trained).json()["name"]
    attempt = worker.take_one()
    attempt.tell("started")
    attempt.write("log", 0, b"usage: main.py [-h]\nmain.py: error: unrecognized arguments: --iteration 2\n")
    attempt.tell("ended", {"reason": "exit_code", "exit_code": 2})
    message = mina.session(name)["message"]
    assert "does not know `--iteration`" in message
    assert "parser.add_argument('--iteration', default='0')" in message


def test_a_training_that_refuses_what_its_author_typed_is_not_told_of_ours(mina: Any, worker: Any) -> None:
    mina.push()
    worker.hello()
    name = mina.run(args="--mode test").json()["name"]
    attempt = worker.take_one()
    attempt.tell("started")
    attempt.write("log", 0, b"main.py: error: unrecognized arguments: --mode test\n")
    attempt.tell("ended", {"reason": "exit_code", "exit_code": 2})
    session = mina.session(name)
    assert (session["state"], "exit code 2" in session["message"]) == ("failed", True)
