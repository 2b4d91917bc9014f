"""Short names of sessions, and what can be done with one."""

from typing import Any

import pytest


@pytest.fixture
def sessions(mina: Any) -> None:
    """mina/kin/1, mina/kin/2, mina/movie/1."""
    mina.push("kin")
    mina.push("movie")
    for dataset in ("kin", "kin", "movie"):
        mina.run(dataset)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("mina/kin/2", "mina/kin/2"),
        ("_/kin/2", "mina/kin/2"),
        ("_/_/2", "mina/kin/2"),
        ("_/session/2", "mina/kin/2"),
        ("_/_/1?near=movie", "mina/movie/1"),
        ("_/session/1?near=kin", "mina/kin/1"),
        ("_/_/2?near=movie", "mina/kin/2"),
    ],
)
def test_a_short_name_finds_the_only_one_or_the_near_one(mina: Any, sessions: None, asked: str, found: str) -> None:
    assert mina.session(asked)["name"] == found


def test_two_that_match_are_both_named(mina: Any, sessions: None) -> None:
    answer = mina.call("GET", "/sessions/_/session/1")
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "ambiguous_session"
    assert answer.json()["error"]["details"]["candidates"] == ["mina/kin/1", "mina/movie/1"]


def test_a_dataset_called_session_comes_first(mina: Any, sessions: None) -> None:
    mina.push("session")
    mina.run("session")
    assert mina.session("_/session/1")["name"] == "mina/session/1"


def test_a_deleted_session_is_gone_and_its_number_is_not_given_again(mina: Any, sessions: None) -> None:
    assert mina.call("DELETE", "/sessions/mina/kin/2").status_code == 409
    mina.call("POST", "/sessions/mina/kin/2/stop")
    assert mina.call("DELETE", "/sessions/mina/kin/2").status_code == 204
    assert mina.call("GET", "/sessions/mina/kin/2").status_code == 404
    assert mina.run("kin").json()["number"] == 3


def test_a_memo_can_be_changed_and_searched(mina: Any, sessions: None) -> None:
    changed = mina.call("PATCH", "/sessions/mina/kin/1", json={"memo": "100%_real"})
    assert changed.json()["memo"] == "100%_real"
    found = mina.call("GET", "/sessions", params={"search": "%_"}).json()["sessions"]
    assert [session["name"] for session in found] == ["mina/kin/1"]


def test_the_list_leaves_out_what_ended_more_than_a_day_ago(mina: Any, sessions: None, clock: Any) -> None:
    mina.call("POST", "/sessions/mina/kin/1/stop")
    clock.move(86_000)
    assert len(mina.call("GET", "/sessions").json()["sessions"]) == 3
    clock.move(1000)
    assert len(mina.call("GET", "/sessions").json()["sessions"]) == 2
    assert len(mina.call("GET", "/sessions?all=1").json()["sessions"]) == 3
    assert [s["name"] for s in mina.call("GET", "/sessions?all=1&last=1").json()["sessions"]] == ["mina/movie/1"]


def test_two_users_count_for_themselves(mina: Any, stranger: Any, sessions: None) -> None:
    assert stranger.run("kin").json()["name"] == "stranger/kin/1"
