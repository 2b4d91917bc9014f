"""What people type to name a session."""

import pytest

from nsmlctl.errors import BadUsage
from nsmlctl.references import parse_session


@pytest.mark.parametrize(
    ("typed", "path"),
    [
        ("kim/kin_phase1/3", "/sessions/kim/kin_phase1/3"),
        ("kin_phase1/3", "/sessions/_/kin_phase1/3"),
        ("session/3", "/sessions/_/session/3"),
        ("3", "/sessions/_/_/3"),
        ("kim/None/12", "/sessions/kim/None/12"),
    ],
)
def test_each_way_to_write_a_session_has_its_path(typed: str, path: str) -> None:
    assert parse_session(typed).path() == path


def test_a_short_name_is_sent_with_the_last_dataset_of_the_folder() -> None:
    assert parse_session("3", near="kin").query() == {"near": "kin"}


def test_a_full_name_needs_no_help() -> None:
    assert parse_session("kim/kin/3", near="movie").query() == {}


def test_a_short_name_without_a_known_dataset_is_left_to_the_server() -> None:
    assert parse_session("3").query() == {}


@pytest.mark.parametrize("typed", ["kim /kin/3", " 3", "kin\t/3", "3\n", "ki\x1b[31mn/3"])
def test_a_name_with_a_blank_is_refused_and_quoted(typed: str) -> None:
    with pytest.raises(BadUsage, match="holds no blanks"):
        parse_session(typed)


@pytest.mark.parametrize(
    "typed", ["", "/", "kin/", "/3", "a/b/c/3", "kin", "kin/three", "kin/-1", "kin/٣", "../kin/3", "kim/./3"]
)
def test_what_is_no_session_is_refused_with_how_to_write_one(typed: str) -> None:
    with pytest.raises(BadUsage) as caught:
        parse_session(typed)
    assert "USER/DATASET/N" in str(caught.value.hint)


def test_a_name_cannot_leave_its_place_in_the_path() -> None:
    assert parse_session("a?b#c/3").path() == "/sessions/_/a%3Fb%23c/3"
