"""Who you are on your own machine, and the file by which `nsmlctl` finds the platform there, logged in."""

from __future__ import annotations

import getpass
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import platformdirs

from nsml_server.domain.names import MAX_NAME, check_user
from nsml_server.embedded.folder import write_private

_FILE = "platform.json"
_FALLBACK = "user"


def user_name(environment: Mapping[str, str]) -> str:
    """NSML_USER, else the name of the login with what we do not take in a name replaced.

    Raises:
        Invalid: NSML_USER is no name we take.
    """
    if asked := environment.get("NSML_USER"):
        return check_user(asked)
    try:
        login = getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return _FALLBACK
    return re.sub(r"[^A-Za-z0-9._-]+", "-", login).lstrip("._-")[:MAX_NAME] or _FALLBACK


class LocalLogin:
    """`platform.json` in nsmlctl's own folder: address, token, user, process, data folder."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        home = environment.get("NSMLCTL_HOME") or platformdirs.user_state_dir("nsmlctl")
        self.path = Path(home) / _FILE

    def leave(self, url: str, token: str, user: str, data: Path) -> None:
        """Let nsmlctl on this machine find us. The newest platform wins."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        told = {"url": url, "token": token, "user": user, "pid": os.getpid(), "data": str(data)}
        write_private(self.path, json.dumps(told))

    def remove(self) -> None:
        """Take it away, unless another platform has written its own since."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            if json.loads(self.path.read_text())["pid"] == os.getpid():
                self.path.unlink()
