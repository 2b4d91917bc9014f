"""What people type to name a session: USER/DATASET/N, DATASET/N, session/N or N."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

from nsmlctl.errors import BadUsage

FIND = "_"  # stands for "the server finds it" in a path
HINT = "A session is written USER/DATASET/N, or short: DATASET/N, session/N or N."


class SessionReference(NamedTuple):
    """`near` is the dataset that wins when the name is short and several sessions fit."""

    user: str
    dataset: str
    number: str
    near: str | None = None

    def path(self, tail: str = "") -> str:
        """The path below the API's root; `tail` starts with '/' or is empty."""
        parts = "/".join(quote(part, safe="") for part in (self.user, self.dataset, self.number))
        return f"/sessions/{parts}{tail}"

    def query(self) -> dict[str, str]:
        """What the server needs to find a short name."""
        is_short = FIND in (self.user, self.dataset)
        return {"near": self.near} if is_short and self.near else {}


def parse_session(text: str, near: str | None = None) -> SessionReference:
    """Raises BadUsage with a sentence that quotes what was typed."""
    if not text or any(letter.isspace() or not letter.isprintable() for letter in text):
        raise BadUsage(f"{text!r} is not a session: a name holds no blanks.", HINT)
    parts = text.split("/")
    if len(parts) > 3 or not all(part.strip(".") for part in parts):  # "..", too, is no name
        raise BadUsage(f"'{text}' is not a session.", HINT)
    number = parts[-1]
    if not (number.isascii() and number.isdigit()):
        raise BadUsage(f"'{text}' is not a session: '{number}' is not a number.", HINT)
    user, dataset = [FIND, FIND, *parts[:-1]][-2:]
    return SessionReference(user, dataset, number, near)
