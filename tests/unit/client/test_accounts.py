"""`login`, `logout`, `status`, `user add`, `web`, `up`."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from nsmlctl import __version__
from nsmlctl.commands.up import check_installed, server_command
from nsmlctl.config import find_login
from nsmlctl.errors import NsmlctlError, ServerAway
from nsmlctl.workplace import Workplace

Run = Callable[..., Any]
PLATFORM = {
    "version": __version__, "mode": "embedded", "trusted_only": True, "confinement": "none", "limits": {},
    "nodes": 3, "gpus": 8,
}  # fmt: skip


@pytest.fixture(autouse=True)
def a_platform(platform: Any) -> None:
    platform.on("GET", "/platform", PLATFORM)
    platform.on("GET", "/me", {"user": "mina", "admin": False})


def pipe(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


class TestLogin:
    def test_a_token_from_a_pipe_is_tried_and_kept(
        self, nsmlctl: Run, place: Workplace, platform: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pipe(monkeypatch, "t0ken\n")
        outcome = nsmlctl("login", "nsml.test:8080/")
        assert "Logged in to http://nsml.test:8080 as mina" in outcome.out
        assert "t0ken" not in outcome.out + outcome.err
        assert platform.called("GET", "/me")[0].headers["Authorization"] == "Bearer t0ken"
        assert find_login(place.home, {}).token == "t0ken"

    def test_a_wrong_token_is_not_kept(
        self, nsmlctl: Run, place: Workplace, platform: Any, refuse: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pipe(monkeypatch, "wrong\n")
        platform.on("GET", "/me", refuse(401, "unauthenticated", "This token is not known."))
        outcome = nsmlctl("login", "http://nsml.test")
        assert outcome.code == 3
        assert "http://nsml.test does not know this token" in outcome.err
        assert "nsmlctl login" not in outcome.err, "that is what was typed"
        assert not (place.home / "login.json").exists()

    def test_no_token_is_told(self, nsmlctl: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        pipe(monkeypatch, "")
        outcome = nsmlctl("login", "http://nsml.test")
        assert outcome.code == 3
        assert "No token was given." in outcome.err

    def test_an_address_where_nobody_answers_is_told_before_the_token_is_asked_for(
        self, nsmlctl: Run, platform: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pipe(monkeypatch, "")
        platform.on("GET", "/platform", ServerAway("No platform answers at http://nsml.test."))
        assert nsmlctl("login", "http://nsml.test").code == 5

    def test_another_version_is_warned_of(self, nsmlctl: Run, platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        pipe(monkeypatch, "t\n")
        platform.on("GET", "/platform", {**PLATFORM, "version": "9.0.0"})
        assert "version 9.0.0" in nsmlctl("login", "http://nsml.test").err

    def test_logout_forgets(self, nsmlctl: Run, place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
        pipe(monkeypatch, "t\n")
        nsmlctl("login", "http://nsml.test")
        assert nsmlctl("logout").out == "Logged out\n"
        assert not (place.home / "login.json").exists()
        assert json.loads(nsmlctl("logout", "-j").out) == {"logged_out": False}


class TestStatus:
    def test_it_says_where_who_and_whom_it_is_safe_for(self, nsmlctl: Run, platform: Any) -> None:
        platform.on("GET", "/sessions", {"sessions": []})
        out = nsmlctl("status").out
        for text in ("http://nsml.test", "mina", "only for people you trust", "3 with 8 GPUs"):
            assert text in out

    def test_json_holds_the_platform_and_who_one_is(self, nsmlctl: Run, platform: Any) -> None:
        platform.on("GET", "/sessions", {"sessions": []})
        told = json.loads(nsmlctl("status", "-j").out)
        assert told == {"server": "http://nsml.test", "user": "mina", "admin": False, **PLATFORM, "waiting": []}


def test_a_new_account_s_token_is_the_only_thing_on_stdout(nsmlctl: Run, platform: Any) -> None:
    platform.on("POST", "/users", {"user": "mina", "token": "t0ken"})
    outcome = nsmlctl("user", "add", "mina", "--admin")
    assert outcome.out == "t0ken\n"
    assert "nsmlctl login http://nsml.test" in outcome.err
    assert "this machine alone" not in outcome.err
    assert platform.called("POST", "/users")[0].content == {"name": "mina", "admin": True}


def test_an_address_that_nobody_else_can_reach_is_not_passed_on_unremarked(
    nsmlctl: Run, platform: Any, place: Workplace
) -> None:
    platform.on("POST", "/users", {"user": "mina", "token": "t0ken"})
    here = place._replace(environ={**place.environ, "NSML_SERVER": "http://127.0.0.1:8080"})
    outcome = nsmlctl("user", "add", "mina", place=here)
    assert outcome.out == "t0ken\n"
    assert "this machine alone" in outcome.err


def test_who_may_not_make_accounts_is_exit_code_3(nsmlctl: Run, platform: Any, refuse: Any) -> None:
    platform.on("POST", "/users", refuse(403, "forbidden", "Only an admin may do this."))
    assert nsmlctl("user", "add", "mina").code == 3


def test_web_prints_the_link(nsmlctl: Run, platform: Any) -> None:
    platform.on("POST", "/login-links", {"url": "http://nsml.test/login/abc", "expires_in": 300})
    outcome = nsmlctl("web")
    assert outcome.out == "http://nsml.test/login/abc\n"
    assert "within 5 minutes" in outcome.err


class TestUp:
    def test_the_server_is_this_python_s(self) -> None:
        words = server_command("data", "127.0.0.1", 0)
        assert words[1:3] == ["-m", "nsml_server.embedded"]
        assert words[3:] == ["--data", words[4], "--host", "127.0.0.1", "--port", "0"]
        assert words[4].startswith("/")

    def test_a_participant_s_installation_is_told_what_to_install(self) -> None:
        with pytest.raises(NsmlctlError) as caught:
            check_installed(lambda name: name != "fastapi")
        assert caught.value.hint == "pip install 'nsmlctl[all]'"

    def test_a_whole_installation_passes(self) -> None:
        check_installed(lambda name: True)

    def test_a_port_that_is_none_is_refused(self, nsmlctl: Run) -> None:
        assert nsmlctl("up", "--port", "70000").code == 2
