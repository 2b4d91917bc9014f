"""Quoted wildcards for one's own sessions: `*` stands for any letters, `?` for one."""

from __future__ import annotations

import re

from nsmlctl.api import Api
from nsmlctl.errors import NotFound
from nsmlctl.output import tell
from nsmlctl.references import SessionReference, parse_session
from nsmlctl.workplace import Workplace

WORD = "session"  # `session/*`: any dataset, like `session/1`


def has_wildcard(text: str) -> bool:
    """Whether somebody means several."""
    return "*" in text or "?" in text


FITTING = "A pattern is a whole name, like 'kin_phase1/*' or 'kin_phase1/1?'; `nsmlctl ps -a` lists the names."


def choose_sessions(
    api: Api, place: Workplace, texts: tuple[str, ...], *, skip: bool = False, going: bool = False
) -> list[SessionReference]:
    """What was typed, in that order, each session once; wildcards are looked up among one's own sessions.

    `skip`: a wildcard that fits nothing is told, and the others count. `going`: a wildcard means only those that go on.

    Raises:
        BadUsage: a text without a wildcard is no session.
        NotFound: a wildcard fits nothing.
    """
    chosen: dict[SessionReference, None] = {}
    own: list[str] | None = None
    for text in texts:
        if not has_wildcard(text):
            chosen[place.session(text)] = None
            continue
        own = own if own is not None else _own(api, going)
        fitting = fitting_names(text, own, place.last_dataset())
        if not fitting:
            which = "of yours that goes on" if going else "of yours"
            missing = NotFound(f"No session {which} fits '{text}'.", FITTING)
            if not skip:
                raise missing
            tell(f"Skipped: {missing}")
        chosen.update({parse_session(name): None for name in fitting})
    return list(chosen)


def _own(api: Api, going: bool) -> list[str]:
    return [str(session["name"]) for session in api.sessions(every=True) if not (going and session["final"])]


def fitting_names(text: str, names: list[str], near: str | None) -> list[str]:
    """Those of `names` (USER/DATASET/N) that the pattern means; a short one means any user, and `near` as its dataset if given."""
    parts = text.split("/")
    if len(parts) == 2 and parts[0] == WORD and not any(name.split("/")[1] == WORD for name in names):
        parts = parts[1:]
    missing = {1: ["*", near or "*"], 2: ["*"]}.get(len(parts), [])
    patterns = [as_pattern(part) for part in (*missing, *parts)]
    if len(patterns) != 3:
        return []
    return [
        name
        for name in names
        if all(pattern.fullmatch(part) for pattern, part in zip(patterns, name.split("/"), strict=True))
    ]


def as_pattern(text: str) -> re.Pattern[str]:
    """Only the two wildcards mean something."""
    return re.compile(re.escape(text).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)
