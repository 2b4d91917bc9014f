"""How values are written on a page."""

import datetime

import pytest

from nsml_server.domain.states import RunState, SubmissionState
from nsml_server.web import formats


@pytest.mark.parametrize("state", [*RunState, *SubmissionState])
def test_each_state_has_a_word_and_a_tone(state: str) -> None:
    assert formats.word_of(state) != state
    assert formats.tone_of(state) in {"waiting", "active", "good", "bad", "quiet"}


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.834684775998, "0.834685"), (1.0, "1.000000"), (0.0, "0.000000"), (1.5e-7, "1.5e-07"), (123456.789, "123457"),
     (7, "7"), (True, "True"), ("adam", "adam"), (float("nan"), "nan"), (float("inf"), "inf")],
)  # fmt: skip
def test_numbers_align_or_are_short(value: object, written: str) -> None:
    assert formats.write_number(value) == written


@pytest.mark.parametrize(
    ("seconds", "written"), [(None, "–"), (-3, "0:00:00"), (59.9, "0:00:59"), (3661, "1:01:01"), (360000, "100:00:00")]
)
def test_durations_read_alike_in_every_language(seconds: float | None, written: str) -> None:
    assert formats.write_duration(seconds) == written


def test_run_time_stands_still_once_a_session_has_ended() -> None:
    now = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
    assert formats.elapsed_between(None, None, now) is None
    assert formats.elapsed_between("2026-01-01T11:59:00Z", None, now) == 60
    assert formats.elapsed_between("2026-01-01T11:00:00Z", "2026-01-01T11:00:30Z", now) == 30


def test_times_are_written_in_utc_until_the_browser_knows_better() -> None:
    assert formats.write_time("2026-01-01T11:59:00Z") == "2026-01-01 11:59:00 UTC"
    assert formats.write_time(None) == "–"
