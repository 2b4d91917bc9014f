"""Times and summaries in NSML's own words."""

from datetime import UTC, datetime, timedelta

import pytest

from nsmlctl.output import ago, full_summary, short_summary

NOW = datetime(2020, 7, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (30, "seconds ago"),
        (60, "a minute ago"),
        (41 * 60, "41 minutes ago"),
        (3600, "an hour ago"),
        (4 * 3600, "4 hours ago"),
        (86400, "a day ago"),
        (3 * 86400, "3 days ago"),
    ],
)
def test_times_are_told_as_nsml_told_them(seconds: int, text: str) -> None:
    assert ago((NOW - timedelta(seconds=seconds)).isoformat(), NOW) == text


def test_a_summary_is_sorted_and_rounded_in_ps_and_whole_in_model_ls() -> None:
    summary = {"test/loss": 22.86812345, "step": 3, "lr": 0.002, "epoch": 2, "n": 1e9}
    assert short_summary(summary) == "epoch=2, lr=0.002, n=1000000000.0, test/loss=22.868"
    assert short_summary({"loss": 12345.6789, "steps": 999999.9}) == "loss=12345.679, steps=999999.9"
    assert full_summary(summary) == "test/loss=22.86812345, step=3, lr=0.002, epoch=2, n=1000000000.0"
