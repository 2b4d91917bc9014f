"""A running program asks for a checkpoint of another session of its user's."""

from typing import Any

import pytest


def borrow(attempt: Any, name: str, session: str | None = None) -> Any:
    params = {"name": name} | ({} if session is None else {"session": session})
    return attempt.call("GET", "/checkpoint", params=params)


@pytest.fixture
def running(mina: Any, worker: Any, trained: str) -> Any:
    """An attempt of mina's that is not the one that trained."""
    mina.run(dataset=None)
    return worker.take_one()


def test_a_run_may_fetch_what_it_was_lent_and_not_before(running: Any, trained: str, mina: Any) -> None:
    (file,) = mina.call("GET", f"/sessions/{trained}/checkpoints/1/tree").json()["files"]
    assert running.call("GET", f"/blobs/{file['hash']}").status_code == 422
    assert borrow(running, "1", trained).json()["files"] == [file]
    assert running.call("GET", f"/blobs/{file['hash']}").content == b"weights of 1"
    other = mina.call("GET", f"/sessions/{trained}/checkpoints/2/tree").json()["files"][0]["hash"]
    assert running.call("GET", f"/blobs/{other}").status_code == 422


def test_a_run_may_ask_for_what_it_saved_itself(running: Any) -> None:
    running.save("own", files={"model": b"mine"})
    assert borrow(running, "own").json()["files"][0]["path"] == "model"
    assert borrow(running, "own", " mina/None/1 ").status_code == 200, "blanks around a name are a slip"


@pytest.mark.parametrize(
    ("session", "name", "status"),
    [("mina/kin/1", "9", 404), ("mina/kin/7", "1", 404), ("kin/1", "1", 422), ("stranger/kin/1", "1", 404)],
)
def test_what_is_not_there_is_not_lent(running: Any, session: str, name: str, status: int) -> None:
    assert borrow(running, name, session).status_code == status


def test_nothing_of_somebody_else_is_lent(stranger: Any, worker: Any, trained: str) -> None:
    stranger.run(dataset=None)
    attempt = worker.take_one()
    assert borrow(attempt, "1", trained).status_code == 404


def test_a_run_that_has_ended_is_lent_nothing(running: Any, trained: str) -> None:
    running.tell("started")
    running.end()
    assert borrow(running, "1", trained).status_code == 409
