"""A login never leads to another site."""

import pytest

from nsml_server.web.addresses import local_address, login_address


@pytest.mark.parametrize("path", ["/", "/session/mina/kin/1", "/leaderboard/kin?mine=1", "/sessions#x"])
def test_a_path_of_this_site_is_kept(path: str) -> None:
    assert local_address(path) == path


@pytest.mark.parametrize(
    "asked",
    [None, "", "sessions", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
     "http://evil.example/", "https:evil.example", "javascript:alert(1)", "/\n/evil.example", " //evil.example", "/a\\b"],
)  # fmt: skip
def test_anything_else_leads_to_the_front_page(asked: str | None) -> None:
    assert local_address(asked) == "/"


def test_the_login_page_is_told_where_to_go_on() -> None:
    assert login_address("/session/mina/kin/1?x=1&y=//z") == "/login?next=/session/mina/kin/1%3Fx%3D1%26y%3D//z"
