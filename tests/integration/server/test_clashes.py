"""Two that make the same row at once: one of them fails, and nothing of what a worker has to tell is lost by that."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from nsml_server.errors import Conflict
from nsml_server.services import files, leaderboard

CLASH = IntegrityError("INSERT", None, ValueError("the row is there"))
SCORED = {"score.json": b'{"score": 0.5}'}


@pytest.fixture
def scoring(mina: Any, worker: Any, trained: str) -> Any:
    """A submit whose score is about to land."""
    mina.submit(trained)
    worker.predict()
    attempt = worker.take_one()
    attempt.tell("started")
    return attempt


@pytest.fixture
def clash_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let a function fail so many times before it works."""

    def fail(module: Any, name: str, clash: Exception, times: int) -> None:
        works, left = getattr(module, name), [clash] * times

        def call(*arguments: Any) -> Any:
            if left:
                raise left.pop()
            return works(*arguments)

        monkeypatch.setattr(module, name, call)

    return fail


@pytest.mark.parametrize("clash", [CLASH, Conflict()])
def test_a_score_that_clashes_once_lands_all_the_same(
    mina: Any, scoring: Any, clash_in: Callable[..., None], clash: Exception
) -> None:
    clash_in(leaderboard, "record", clash, 1)
    assert scoring.end(outputs=SCORED).status_code == 200
    assert mina.submission(1)["state"] == "scored"


@pytest.mark.parametrize("clash", [CLASH, Conflict()])
def test_a_score_that_goes_on_clashing_is_told_again_later(
    mina: Any, scoring: Any, clash_in: Callable[..., None], clash: Exception
) -> None:
    clash_in(leaderboard, "record", clash, 2)
    refused = scoring.end(outputs=SCORED)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")
    assert mina.submission(1)["state"] == "scoring"
    scoring.seq -= 1
    assert scoring.end(outputs=SCORED).status_code == 200
    assert mina.submission(1)["state"] == "scored"


def test_a_clash_is_a_conflict_for_people_and_for_workers_worth_another_try(
    mina: Any, scoring: Any, clash_in: Callable[..., None]
) -> None:
    asked = {"json": {"hashes": ["0" * 64]}}
    clash_in(files, "missing", CLASH, 2)
    assert mina.call("POST", "/blobs/missing", **asked).status_code == 409
    assert scoring.call("POST", "/blobs/missing", **asked).status_code == 503
