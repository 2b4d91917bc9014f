"""Quoted wildcards in `rm` and `stop`."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from nsmlctl.config import remember_dataset
from nsmlctl.wildcards import fitting_names
from nsmlctl.workplace import Workplace

Run = Callable[..., Any]
OWN = ["kim/kin/1", "kim/kin/2", "kim/kin/12", "kim/movie/1", "kim/None/1"]


@pytest.fixture(autouse=True)
def five_sessions(platform: Any, session: Any) -> None:
    platform.on("GET", "/sessions", {"sessions": [session(name, final=True) for name in OWN]})
    for name in OWN:
        platform.on("GET", f"/sessions/{name}", session(name, final=True))
        platform.on("DELETE", f"/sessions/{name}", {})
        platform.on("POST", f"/sessions/{name}/stop", session(name, status="Stopping"))


@pytest.mark.parametrize(
    ("typed", "near", "meant"),
    [
        ("kin/*", None, OWN[:3]),
        ("kin/1?", None, ["kim/kin/12"]),
        ("movie/?", "kin", ["kim/movie/1"]),
        ("a/kim/kin/*", None, []),
        ("kim/*/1", None, ["kim/kin/1", "kim/movie/1", "kim/None/1"]),
        ("*", None, OWN),
        ("*", "movie", ["kim/movie/1"]),
        ("session/*", "kin", OWN[:3]),
        ("kin/[0-9]*", None, []),
        ("lee/kin/*", None, []),
        ("k*/1", None, ["kim/kin/1"]),
    ],
)
def test_a_wildcard_stays_within_its_part_of_the_name(typed: str, near: str | None, meant: list[str]) -> None:
    assert fitting_names(typed, OWN, near) == meant


def test_rm_removes_all_that_fit_each_once(nsmlctl: Run, platform: Any) -> None:
    outcome = nsmlctl("rm", "kin/*", "kim/kin/1")
    assert outcome.code == 0
    assert [call.path for call in platform.calls if call.method == "DELETE"] == [
        f"/sessions/{name}" for name in OWN[:3]
    ]
    assert platform.calls[0].query == {"all": "1"}


def test_the_folder_s_dataset_narrows_a_bare_star(nsmlctl: Run, platform: Any, place: Workplace) -> None:
    remember_dataset(place.home, place.folder, "movie")
    assert json.loads(nsmlctl("rm", "-j", "*").out) == {"removed": ["kim/movie/1"]}


def test_a_wildcard_that_fits_nothing_is_exit_code_4(nsmlctl: Run, platform: Any) -> None:
    outcome = nsmlctl("rm", "food/*")
    assert outcome.code == 4
    assert "No session of yours fits 'food/*'" in outcome.err
    assert not [call for call in platform.calls if call.method == "DELETE"]


def test_skip_goes_on_with_the_others(nsmlctl: Run, platform: Any, refuse: Any) -> None:
    def still_runs(_: Any) -> Any:
        return refuse(409, "still_running", "Session kim/kin/2 still runs.")

    platform.on("DELETE", "/sessions/kim/kin/2", still_runs)
    assert nsmlctl("rm", "kin/*").code == 1
    outcome = nsmlctl("rm", "-s", "kin/*")
    assert outcome.code == 0
    assert "Skipped: Session kim/kin/2 still runs." in outcome.err
    assert "kim/kin/12 is removed" in outcome.out


def test_skip_goes_on_past_a_pattern_that_fits_nothing(nsmlctl: Run) -> None:
    outcome = nsmlctl("rm", "-s", "food/*", "kin/*")
    assert outcome.code == 0
    assert "Skipped: No session of yours fits 'food/*'." in outcome.err
    assert "kim/kin/12 is removed" in outcome.out


def test_stop_takes_wildcards_too_and_means_those_that_go_on(nsmlctl: Run, platform: Any, session: Any) -> None:
    ended = {"kim/kin/1", "kim/kin/12"}
    platform.on("GET", "/sessions", {"sessions": [session(name, final=name in ended) for name in OWN]})
    assert nsmlctl("stop", "k*/*").out == "Session kim/kin/2: Stopping\n"
    none = nsmlctl("stop", "kin/1?")
    assert (none.code, none.out) == (4, "")
    assert "No session of yours that goes on fits 'kin/1?'." in none.err
