"""Addresses within this site: nothing that came from outside leads a browser elsewhere."""

from __future__ import annotations

from typing import Annotated, NamedTuple
from urllib.parse import quote, urlsplit

from fastapi import Depends

HOME = "/"
SESSION = "/session/{user}/{dataset}/{number}"


class SessionName(NamedTuple):
    """A session as an address names it; whether there is one, and whose, the service says."""

    user: str
    dataset: str
    number: str


def session_named(user: str, dataset: str, number: str) -> SessionName:
    """Dependency: the session of the address."""
    return SessionName(user, dataset, number)


Named = Annotated[SessionName, Depends(session_named)]


def local_address(asked: str | None) -> str:
    """`asked` when it is a path of this site, else the front page: a login never ends on somebody else's page."""
    if not asked or not asked.startswith("/") or asked.startswith(("//", "/\\")):
        return HOME
    if any(character <= " " or character in "\\\x7f" for character in asked):
        return HOME
    parts = urlsplit(asked)
    return HOME if parts.scheme or parts.netloc else asked


def login_address(after: str) -> str:
    """The login page, which then goes on to `after`."""
    return f"/login?next={quote(after, safe='/')}"
