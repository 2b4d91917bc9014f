"""`nsmlctl plot`: what was reported, in the terminal."""

import json
from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]
METRICS = "/sessions/kim/kin/1/metrics"
SERIES = {
    "train/loss": {"step": [1, 2, 3], "value": [0.9, 0.5, 0.25], "time": [1, 2, 3]},
    "test/acc": {"step": [1, None], "value": [0.5, "NaN"], "time": [1, 2]},
}


@pytest.fixture(autouse=True)
def a_session_that_reported(platform: Any, session: Any) -> None:
    platform.on("GET", METRICS, {"series": SERIES})
    platform.on("GET", "/sessions/kim/kin/1", session())


def test_each_metric_has_a_chart(nsmlctl: Run) -> None:
    outcome = nsmlctl("plot", "kim/kin/1")
    assert outcome.code == 0
    assert "train/loss  (last 0.25)" in outcome.out
    assert "test/acc  (last 0.5)" in outcome.out
    assert "\x1b" not in outcome.out
    assert len(outcome.out.splitlines()) > 20


def test_a_metric_can_be_chosen_by_wildcard(nsmlctl: Run) -> None:
    assert list(json.loads(nsmlctl("plot", "kim/kin/1", "train/*", "-j").out)["series"]) == ["train/loss"]


def test_a_metric_that_was_not_reported_is_told_with_those_that_were(nsmlctl: Run) -> None:
    outcome = nsmlctl("plot", "kim/kin/1", "acuracy", "los*")
    assert outcome.code == 4
    assert "kim/kin/1 has reported no acuracy and no los*.\nIt reported: train/loss, test/acc." in outcome.err


def test_nothing_reported_is_exit_code_4_with_the_way_to_report(nsmlctl: Run, platform: Any) -> None:
    platform.on("GET", METRICS, {"series": {}})
    outcome = nsmlctl("plot", "kim/kin/1")
    assert outcome.code == 4
    assert "nsml.report" in outcome.err


def test_following_draws_again_when_something_new_comes_and_ends_with_the_session(
    nsmlctl: Run, platform: Any, session: Any
) -> None:
    longer = {"train/loss": {"step": [1, 2], "value": [0.9, 0.125], "time": [1, 2]}}
    platform.on("GET", METRICS, {"series": {}}, {"series": SERIES}, {"series": SERIES}, {"series": longer})
    running, ended = session(), session(final=True, status="Exited")
    platform.on("GET", "/sessions/kim/kin/1", running, running, running, running, ended)
    outcome = nsmlctl("plot", "-f", "kim/kin/1")
    assert outcome.code == 0
    assert outcome.out.count("train/loss") == 2
    assert "last 0.125" in outcome.out
    assert len(platform.pauses) == 3
