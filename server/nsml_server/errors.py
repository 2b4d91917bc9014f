"""Every error the server raises on purpose.

    NsmlError                500 internal
    ├── Unauthenticated      401 unauthenticated
    ├── Forbidden            403 forbidden
    ├── NotFound             404 not_found
    │   └── BlobMissing      404 blob_missing
    ├── Conflict             409 conflict
    │   ├── IllegalMove      409 illegal_move
    │   ├── AttemptOver      409 attempt_over
    │   ├── AmbiguousSession 409 ambiguous_session
    │   └── StreamGap        409 stream_gap
    ├── TooLarge             413 too_large
    ├── Invalid              422 invalid
    │   ├── NeverFits        422 never_fits
    │   ├── UnknownImage     422 unknown_image
    │   └── HashMismatch     422 hash_mismatch
    ├── RateLimited          429 rate_limited
    ├── Unavailable          503 unavailable
    └── CannotStart          500 cannot_start
        ├── AddressTaken     500 address_taken
        └── FolderUnusable   500 folder_unusable

An error is one sentence that names the thing, and a hint that names the next step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class NsmlError(Exception):
    """Something went wrong inside the server."""

    status = 500
    code = "internal"
    hint: str | None = "Try again; if it stays, tell the operator what you did and when."

    def __init__(
        self,
        message: str | None = None,
        *,
        hint: str | None = None,
        details: dict[str, Any] | None = None,
        code: str | None = None,
    ) -> None:
        self.message = message or _first_paragraph(type(self).__doc__)
        self.hint = hint or type(self).hint
        self.details = details
        self.code = code or type(self).code
        super().__init__(self.message)

    def to_dict(self) -> dict[str, Any]:
        """The body of an answer: {"error": {"code", "message", "hint", "details"}}."""
        return {"error": {"code": self.code, "message": self.message, "hint": self.hint, "details": self.details}}


class Unauthenticated(NsmlError):
    """This needs a login, and the token is missing, wrong or has been revoked."""

    status = 401
    code = "unauthenticated"
    hint = "Log in with `nsmlctl login URL`."


class Forbidden(NsmlError):
    """You are logged in, and this is not yours to do."""

    status = 403
    code = "forbidden"
    hint = "Ask the operator for the right to do it."


class NotFound(NsmlError):
    """There is no such thing here, or it is not yours."""

    status = 404
    code = "not_found"
    hint: str | None = None


class BlobMissing(NotFound):
    """The file with this hash has not been uploaded."""

    code = "blob_missing"
    hint = "Ask which hashes are missing, upload those, and try again."

    def __init__(self, blob: str) -> None:
        super().__init__(f"The file with hash {blob[:12]}… has not been uploaded.", details={"hash": blob})


class Conflict(NsmlError):
    """What is asked does not go with the state things are in."""

    status = 409
    code = "conflict"
    hint: str | None = None


class IllegalMove(Conflict):
    """This cannot go from the state it is in to the one asked for."""

    code = "illegal_move"

    def __init__(self, current: str, target: str) -> None:
        self.current, self.target = current, target
        super().__init__(
            f"What is {current} cannot become {target}.",
            hint="Look at its state again: it has moved meanwhile.",
            details={"current": current, "target": target},
        )


class AttemptOver(Conflict):
    """This attempt is over: the run has ended or was given to another worker."""

    code = "attempt_over"
    hint = "Stop this box and remove it."


class AmbiguousSession(Conflict):
    """More than one session matches."""

    code = "ambiguous_session"

    def __init__(self, asked: str, candidates: Sequence[str]) -> None:
        super().__init__(
            f"{asked} may mean {_either(candidates)}.",
            hint=f"Give the whole name, for example {candidates[0]}.",
            details={"candidates": list(candidates)},
        )


class StreamGap(Conflict):
    """Bytes before these have not arrived."""

    code = "stream_gap"

    def __init__(self, name: str, offset: int, size: int) -> None:
        self.size = size
        super().__init__(
            f"Stream {name} holds {size} bytes; bytes from {offset} on would leave a hole.",
            hint=f"Send again from offset {size}.",
            details={"size": size},
        )


class TooLarge(NsmlError):
    """This is larger than the server takes."""

    status = 413
    code = "too_large"
    hint = "Leave out what the program does not need: a .nsmlignore file in the folder lists what stays home."


class Invalid(NsmlError):
    """What was sent does not make sense."""

    status = 422
    code = "invalid"
    hint: str | None = None


class UnknownImage(Invalid):
    """No entry of the image table matches."""

    code = "unknown_image"


class NeverFits(Invalid):
    """No machine here can ever run what is asked for."""

    code = "never_fits"
    hint = "Ask for less with `-g`, `-c` or `--memory`."


class HashMismatch(Invalid):
    """The bytes that arrived are not those that were announced."""

    code = "hash_mismatch"

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(
            f"The bytes that arrived have hash {actual[:12]}…, not {expected[:12]}… as announced; nothing was stored.",
            hint="The file changed while it was being sent, or the connection broke it: send it again.",
            details={"expected": expected, "actual": actual},
        )


class RateLimited(NsmlError):
    """That was too often."""

    status = 429
    code = "rate_limited"
    hint = "Wait a moment, then try again."


class Unavailable(NsmlError):
    """Something the server needs does not answer."""

    status = 503
    code = "unavailable"
    hint = "Try again in a moment."


class CannotStart(NsmlError):
    """The server cannot start; nobody is there to be answered, so it is said where it was started."""

    code = "cannot_start"


class AddressTaken(CannotStart):
    """The address to listen on is taken, or is not this machine's."""

    code = "address_taken"
    hint = "Choose another port with --port, or --port 0 for any free one."


class FolderUnusable(CannotStart):
    """The data folder cannot be used."""

    code = "folder_unusable"
    hint = "Choose another one with --data."


def _first_paragraph(docstring: str | None) -> str:
    return " ".join((docstring or "").split("\n\n")[0].split())


def _either(names: Sequence[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
