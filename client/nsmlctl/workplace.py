"""Where a command is typed: this folder, this user's files, this environment, and the way to the server.

The real things are chosen here and in `__main__`, nowhere else; tests make a Workplace of their own.
"""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, TypeVar

import click

from nsmlctl.config import Login, find_local, find_login, home_of, last_dataset

if TYPE_CHECKING:
    from nsmlctl.api import Api
    from nsmlctl.exchange import LoginAgain
    from nsmlctl.references import SessionReference
    from nsmlctl.transport import Transport

P = ParamSpec("P")
R = TypeVar("R")


def connect(server: str) -> Transport:
    """The way to a server over the network."""
    modules: dict[str, Any] = sys.modules
    is_plain = not server.startswith("https:") and "ssl" not in modules
    if is_plain:
        modules["ssl"] = None  # http.client does without; importing TLS would take longer than the request itself
    try:
        from nsmlctl.http_transport import HttpTransport
    finally:
        if is_plain:
            del modules["ssl"]
    return HttpTransport(server)


class Workplace(NamedTuple):
    """`pause` sleeps that many seconds; `connect` opens the way to a server's address."""

    home: Path
    folder: Path
    environ: Mapping[str, str]
    connect: Callable[[str], Transport] = connect
    pause: Callable[[float], None] = time.sleep

    @classmethod
    def here(cls) -> Workplace:
        """The real one."""
        environ = dict(os.environ)
        return cls(home_of(environ), Path.cwd(), environ)

    def login(self) -> Login:
        """Raises NotLoggedIn."""
        return find_login(self.home, self.environ)

    def api(self) -> Api:
        """To the server that is logged in to. Raises NotLoggedIn."""
        login = self.login()
        hint = (
            "Start it with `nsmlctl up`, or log in to another one with `nsmlctl login URL`."
            if login.is_local
            else f"That address comes from {login.source}; `nsmlctl login URL` changes it."
        )
        return self.api_of(login.server, token=login.token, hint=hint, login_again=self._again(login))

    def api_of(
        self, server: str, *, token: str | None = None, hint: str | None = None, login_again: LoginAgain | None = None
    ) -> Api:
        """To any server."""
        from nsmlctl.api import Api

        transport = self.connect(server)
        return Api(transport, token=token, away_hint=hint, pause=self.pause, login_again=login_again)

    def _again(self, login: Login) -> LoginAgain | None:
        """How a command under way finds the platform of this machine after that was started anew."""
        if not login.is_local:
            return None

        def look() -> tuple[Transport, str] | None:
            nonlocal login
            found = find_local(self.home)
            if found is None or found == login:
                return None
            login = found
            return self.connect(found.server), found.token

        return look

    def session(self, text: str) -> SessionReference:
        """A session as typed, in the light of this folder's last dataset."""
        from nsmlctl.references import parse_session

        return parse_session(text, self.last_dataset())

    def last_dataset(self) -> str | None:
        """The one that the last run from this folder used."""
        return last_dataset(self.home, self.folder)


def pass_workplace(function: Callable[Concatenate[Workplace, P], R]) -> Callable[P, R]:
    """For commands: the context holds a way to the workplace, so that `--help` need not look around."""

    def with_workplace(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(click.get_current_context().obj(), *args, **kwargs)

    return functools.update_wrapper(with_workplace, function)
