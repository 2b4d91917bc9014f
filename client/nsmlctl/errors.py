"""Everything that goes wrong on the way, each with the exit code a script can rely on.

NsmlctlError 1
├── BadUsage 2
│   └── AmbiguousSession 2
├── NotLoggedIn 3
├── Forbidden 3
├── NotFound 4
├── ServerAway 5
│   └── CutOff 5
├── Refused 1
├── VersionSkew 1
├── CannotUpload 1
└── Failed 1
"""

from __future__ import annotations

from typing import Any, ClassVar

# What the server says when nothing of its own was asked: the route itself is missing.
NO_SUCH_ROUTE = ("Not Found.", "Method Not Allowed.")
EXIT_INTERRUPTED = 130  # what shells report for Ctrl-C


class NsmlctlError(Exception):
    """The command could not be carried out. `hint` is the next step for the person, or None."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class BadUsage(NsmlctlError):
    """What was typed cannot be meant."""

    exit_code = 2


class AmbiguousSession(BadUsage):
    """A short session name fits several sessions."""


class NotLoggedIn(NsmlctlError):
    """No token, or one that the server does not know."""

    exit_code = 3


class Forbidden(NsmlctlError):
    """Logged in, but not allowed to do this."""

    exit_code = 3


class NotFound(NsmlctlError):
    """No such session, dataset, checkpoint or submission."""

    exit_code = 4


class ServerAway(NsmlctlError):
    """Nobody answers at the server's address."""

    exit_code = 5


class CutOff(ServerAway):
    """The connection broke after the request may have arrived."""


class Refused(NsmlctlError):
    """The server understood and said no."""


class VersionSkew(NsmlctlError):
    """Whoever answered does not speak this program's version of the API."""


class CannotUpload(NsmlctlError):
    """A file of the folder cannot be uploaded; the message names it."""


class Failed(NsmlctlError):
    """The run or submit that was followed ended badly."""


def error_of(status: int, answer: Any) -> NsmlctlError:
    """The error that an answer of the API with this HTTP status stands for; VersionSkew when it is not one of the API's."""
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        return VersionSkew(f"The server answered HTTP {status} in a way this nsmlctl does not understand.")
    message, hint = error["message"], error.get("hint")
    if message in NO_SUCH_ROUTE:
        return VersionSkew("The server does not know this request.")
    if error.get("code") == "ambiguous_session":
        return AmbiguousSession(_with_candidates(message, error.get("details")), hint)
    kinds: dict[int, type[NsmlctlError]] = {401: NotLoggedIn, 403: Forbidden, 404: NotFound}
    return kinds.get(status, Refused)(message, hint)


def _with_candidates(message: str, details: Any) -> str:
    candidates = details.get("candidates") if isinstance(details, dict) else None
    missing = [str(name) for name in candidates or () if str(name) not in message]
    return "\n  ".join([message, *missing])
