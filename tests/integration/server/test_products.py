"""The files a program wrote beside its checkpoints: kept when it has ended, for its owner alone."""

from typing import Any

import pytest
from blake3 import blake3


def told(files: dict[str, bytes]) -> dict[str, Any]:
    entries = [
        {"path": path, "size": len(data), "hash": blake3(data).hexdigest(), "mode": 0o644}
        for path, data in files.items()
    ]
    return {"tree": {"files": entries}}


@pytest.fixture
def running(mina: Any, worker: Any) -> Any:
    mina.push()
    worker.hello()
    mina.run()
    attempt = worker.take_one()
    attempt.tell("started")
    return attempt


def leave(attempt: Any, files: dict[str, bytes], left_out: Any = ()) -> Any:
    for data in set(files.values()):
        attempt.store(data)
    return attempt.tell("files", {**told(files), "left_out": list(left_out)})


def test_what_a_program_wrote_is_listed_and_fetched(mina: Any, running: Any) -> None:
    assert mina.call("GET", "/sessions/mina/kin/1/files").json() == {"files": [], "left_out": []}
    files = {"plot.png": b"\x89PNG", "logs/train.csv": b"1,2\n"}
    assert leave(running, files, [["big.bin", "it is larger than 1 GiB"]]).status_code == 200
    running.end()
    listed = mina.call("GET", "/sessions/mina/kin/1/files").json()
    assert listed["files"] == [["logs/train.csv", 4], ["plot.png", 4]]
    assert listed["left_out"] == [["big.bin", "it is larger than 1 GiB"]]
    fetched = mina.call("GET", "/sessions/mina/kin/1/files/logs/train.csv")
    assert fetched.content == b"1,2\n"
    assert fetched.headers["Content-Disposition"].startswith("attachment")
    assert mina.call("GET", "/sessions/mina/kin/1/files/nothing").status_code == 404


def test_nobody_else_sees_them(mina: Any, stranger: Any, running: Any) -> None:
    leave(running, {"plot.png": b"\x89PNG"})
    for path in ("files", "files/plot.png"):
        assert stranger.call("GET", f"/sessions/mina/kin/1/{path}").status_code == 404


@pytest.mark.parametrize("path", ["../escape", "/etc/passwd", "a\\b", "con"])
def test_a_path_we_do_not_take_is_left_out_alone(mina: Any, running: Any, path: str) -> None:
    assert leave(running, {path: b"x", "good.txt": b"y"}).status_code == 200
    listed = mina.call("GET", "/sessions/mina/kin/1/files").json()
    assert listed["files"] == [["good.txt", 1]]
    assert [name for name, _ in listed["left_out"]] == [path]


def test_too_much_is_not_kept_and_the_run_goes_on(mina: Any, running: Any) -> None:
    assert leave(running, {f"{number}.txt": b"x" for number in range(1001)}).status_code == 200
    running.end()
    assert mina.call("GET", "/sessions/mina/kin/1/files").json()["files"] == []
    session = mina.session("mina/kin/1")
    assert session["state"] == "exited"
    assert "were not kept" in session["notices"][0]


def test_files_that_were_not_sent_cannot_be_claimed_by_their_hash(mina: Any, running: Any) -> None:
    running.tell("files", {**told({"loot": b"somebody else's bytes"}), "left_out": []})
    assert mina.call("GET", "/sessions/mina/kin/1/files").json()["files"] == []


@pytest.mark.parametrize("left_out", [None, "x", [["a"]], [[1, 2]], [{}]])
def test_an_odd_list_of_what_was_left_out_does_no_harm(mina: Any, running: Any, left_out: Any) -> None:
    running.tell("files", {**told({}), "left_out": left_out})
    assert mina.call("GET", "/sessions/mina/kin/1/files").json()["left_out"] == []


def test_nothing_that_a_submit_wrote_is_kept(mina: Any, worker: Any, trained: str) -> None:
    mina.submit(trained)
    predict = worker.take_one()
    leave(predict, {"copy": b"hidden inputs"})
    predict.end(outputs={"prediction": b"1\n"})
    assert mina.call("GET", f"/sessions/{trained}/files").json()["files"] == []


def test_where_models_stay_the_files_stay_too(mina: Any, running: Any) -> None:
    leave(running, {"model.pt": b"weights"})
    mina.call("PATCH", "/datasets/kin", json={"pull_models": False})
    refused = mina.call("GET", "/sessions/mina/kin/1/files/model.pt")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "pull_forbidden")
