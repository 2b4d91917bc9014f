"""Who one is on one's own machine, and the file by which nsmlctl finds the platform."""

import getpass
import json
from pathlib import Path

import pytest

from nsml_server.embedded.login import LocalLogin, user_name
from nsml_server.errors import Invalid


@pytest.mark.parametrize(
    ("login", "name"),
    [("mina", "mina"), ("DOM\\mi na", "DOM-mi-na"), (".x", "x"), ("김미나", "user"), ("a" * 60, "a" * 40)],
)
def test_a_login_becomes_a_name_we_take(monkeypatch: pytest.MonkeyPatch, login: str, name: str) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: login)
    assert user_name({}) == name


def test_a_user_without_a_name_still_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert user_name({}) == "user"


def test_nsml_user_wins_and_is_checked() -> None:
    assert user_name({"NSML_USER": "jisoo"}) == "jisoo"
    with pytest.raises(Invalid):
        user_name({"NSML_USER": "../x"})


def test_the_file_is_private_and_goes_with_its_platform(tmp_path: Path) -> None:
    login = LocalLogin({"NSMLCTL_HOME": str(tmp_path / "home")})
    login.leave("http://127.0.0.1:1", "secret", "mina", tmp_path)
    assert login.path.stat().st_mode & 0o077 == 0
    assert json.loads(login.path.read_text())["url"] == "http://127.0.0.1:1"
    login.remove()
    assert not login.path.exists()


def test_the_file_of_a_newer_platform_stays(tmp_path: Path) -> None:
    login = LocalLogin({"NSMLCTL_HOME": str(tmp_path)})
    login.path.write_text(json.dumps({"pid": 1}))
    login.remove()
    assert login.path.exists()
