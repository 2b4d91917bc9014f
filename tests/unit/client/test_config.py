"""Who is logged in where."""

import json
import stat
from pathlib import Path

import pytest

from nsmlctl.config import MAX_FOLDERS, find_login, forget_login, last_dataset, remember_dataset, save_login
from nsmlctl.errors import NotLoggedIn, NsmlctlError


def write_platform(home: Path) -> None:
    (home / "platform.json").write_text(json.dumps({"url": "http://127.0.0.1:8080/", "token": "local", "user": "me"}))


def test_the_environment_wins_over_everything(tmp_path: Path) -> None:
    save_login(tmp_path, "http://elsewhere", "kept")
    login = find_login(tmp_path, {"NSML_SERVER": "http://here/", "NSML_TOKEN": "given"})
    assert (login.server, login.token) == ("http://here", "given")


def test_a_login_wins_over_the_platform_of_this_machine(tmp_path: Path) -> None:
    write_platform(tmp_path)
    save_login(tmp_path, "http://elsewhere", "kept")
    assert find_login(tmp_path, {}).server == "http://elsewhere"


def test_the_platform_of_this_machine_is_found_without_a_login(tmp_path: Path) -> None:
    write_platform(tmp_path)
    login = find_login(tmp_path, {})
    assert (login.server, login.token, login.is_local) == ("http://127.0.0.1:8080", "local", True)


def test_after_logout_the_platform_of_this_machine_is_found_again(tmp_path: Path) -> None:
    write_platform(tmp_path)
    save_login(tmp_path, "http://elsewhere", "kept")
    assert forget_login(tmp_path)
    assert find_login(tmp_path, {}).is_local
    assert not forget_login(tmp_path)


def test_without_any_login_the_next_step_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotLoggedIn) as caught:
        find_login(tmp_path, {})
    assert "nsmlctl login" in str(caught.value.hint)
    assert "nsmlctl up" in str(caught.value.hint)


def test_a_server_without_a_token_is_not_mixed_with_another_login(tmp_path: Path) -> None:
    save_login(tmp_path, "http://elsewhere", "kept")
    with pytest.raises(NotLoggedIn, match="NSML_TOKEN"):
        find_login(tmp_path, {"NSML_SERVER": "http://here"})


def test_only_the_owner_can_read_a_login(tmp_path: Path) -> None:
    path = save_login(tmp_path / "new", "http://elsewhere", "kept")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_draft_that_is_a_link_is_not_written_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getpid", lambda: 1)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / ".login.json.1").symlink_to(victim)
    save_login(tmp_path, "http://elsewhere", "kept")
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"url": 3, "token": "x"}', '{"url": "http://x"}'])
def test_a_broken_login_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "login.json").write_text(content)
    with pytest.raises(NsmlctlError, match=r"login\.json"):
        find_login(tmp_path, {})


def test_each_folder_has_its_own_last_dataset(tmp_path: Path) -> None:
    remember_dataset(tmp_path, Path("/a"), "kin")
    remember_dataset(tmp_path, Path("/b"), "movie")
    remember_dataset(tmp_path, Path("/a"), "kin2")
    assert (last_dataset(tmp_path, Path("/a")), last_dataset(tmp_path, Path("/b"))) == ("kin2", "movie")
    assert last_dataset(tmp_path, Path("/c")) is None


def test_the_oldest_folders_are_forgotten(tmp_path: Path) -> None:
    for number in range(MAX_FOLDERS + 1):
        remember_dataset(tmp_path, Path(f"/{number}"), "kin")
    assert last_dataset(tmp_path, Path("/0")) is None
    assert last_dataset(tmp_path, Path("/1")) == "kin"
