"""Wildcards in names."""

import pytest

from nsml_server.domain.names import SessionName
from nsml_server.domain.patterns import matches, matches_session

NAME = SessionName("mina", "kin", 12)


@pytest.mark.parametrize("pattern", ["best", "b*", "*", "????", "?est"])
def test_a_star_is_any_text_and_a_mark_one_character(pattern: str) -> None:
    assert matches("best", pattern)


@pytest.mark.parametrize("pattern", ["bes", "?", "Best", "b[e]st", "bestest", ""])
def test_nothing_else_is_special(pattern: str) -> None:
    assert not matches("best", pattern)


def test_a_bracket_is_only_itself() -> None:
    assert matches("[1]", "[1]")


@pytest.mark.parametrize(
    "pattern", ["mina/kin/12", "kin/12", "session/12", "12", "1*", "*", "mina/*/1?", "*/*", "k*/*"]
)
def test_a_session_is_meant_by_its_name_or_the_end_of_it(pattern: str) -> None:
    assert matches_session(NAME, pattern)


@pytest.mark.parametrize(
    "pattern", ["m*", "mina/*", "mina*12", "kin", "other/12", "session/1", "a/mina/kin/12", "*/kin"]
)
def test_a_wildcard_never_reaches_into_the_next_part(pattern: str) -> None:
    assert not matches_session(NAME, pattern)


def test_a_dataset_called_session_is_meant_by_its_name() -> None:
    assert matches_session(SessionName("mina", "session", 1), "session/1")
    assert not matches_session(SessionName("mina", "session", 2), "session/1")
