"""Who is logged in where, and what this program remembers between two commands.

A login is looked for in the environment (NSML_SERVER and NSML_TOKEN), then in what `nsmlctl login` wrote, then in what
the platform running on this machine wrote. Everything lies in one folder that only its owner can read: NSMLCTL_HOME, or
the user's state folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from nsmlctl.errors import NotLoggedIn, NsmlctlError

LOGIN = "login.json"
LOCAL_PLATFORM = "platform.json"
FOLDERS = "folders.json"
MAX_FOLDERS = 200  # the most recent ones are kept


class Login(NamedTuple):
    """`source` is the sentence part that tells where it comes from."""

    server: str
    token: str
    source: str
    is_local: bool = False


def home_of(environ: Mapping[str, str]) -> Path:
    """The folder of this program's files."""
    if home := environ.get("NSMLCTL_HOME"):
        return Path(home)
    import platformdirs

    return Path(platformdirs.user_state_dir("nsmlctl"))


def find_login(home: Path, environ: Mapping[str, str]) -> Login:
    """The login in force.

    Raises:
        NotLoggedIn: there is none; the hint says how to get one.
    """
    if server := environ.get("NSML_SERVER"):
        if token := environ.get("NSML_TOKEN"):
            return Login(server.rstrip("/"), token, "NSML_SERVER and NSML_TOKEN")
        raise NotLoggedIn("NSML_SERVER is set but NSML_TOKEN is not.", "Set both, or unset NSML_SERVER.")
    login = _login_in(home / LOGIN) or find_local(home)
    if login is None:
        raise NotLoggedIn(
            "You are not logged in, and no platform was started on this machine.",
            "`nsmlctl login http://host:8080` logs in to one; `nsmlctl up` starts one here.",
        )
    return login


def find_local(home: Path) -> Login | None:
    """The platform of this machine; each start of it leaves another token, and perhaps another address."""
    login = _login_in(home / LOCAL_PLATFORM)
    return login and login._replace(is_local=True)


def save_login(home: Path, server: str, token: str) -> Path:
    """Remember a login; returns the file it is in."""
    path = home / LOGIN
    _write(path, {"url": server, "token": token})
    return path


def forget_login(home: Path) -> bool:
    """False when there was nothing to forget."""
    try:
        (home / LOGIN).unlink()
    except FileNotFoundError:
        return False
    return True


def last_dataset(home: Path, folder: Path) -> str | None:
    """The dataset that the last run from this folder used."""
    name = (_read(home / FOLDERS) or {}).get(str(folder))
    return name if isinstance(name, str) else None


def remember_dataset(home: Path, folder: Path, dataset: str) -> None:
    """So that a bare session number typed in this folder later means this dataset."""
    folders = {key: value for key, value in (_read(home / FOLDERS) or {}).items() if key != str(folder)}
    recent = [*folders.items(), (str(folder), dataset)][-MAX_FOLDERS:]
    _write(home / FOLDERS, dict(recent))


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise NsmlctlError(f"{path} cannot be read: {error}.", f"Remove it: rm '{path}'") from error
    if not isinstance(content, dict):
        raise NsmlctlError(f"{path} is not one of nsmlctl's files.", f"Remove it: rm '{path}'")
    return content


def _login_in(path: Path) -> Login | None:
    found = _read(path)
    if found is None:
        return None
    return Login(_text(found, "url", path).rstrip("/"), _text(found, "token", path), str(path))


def _text(content: dict[str, Any], key: str, path: Path) -> str:
    value = content.get(key)
    if not isinstance(value, str) or not value:
        raise NsmlctlError(f"{path} does not say the {key} of the platform.", f"Remove it: rm '{path}'")
    return value


def _write(path: Path, content: dict[str, Any]) -> None:
    """Whole or not at all, readable by the owner only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=False)
    draft.replace(path)
