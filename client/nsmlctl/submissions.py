"""Submits and rehearsals of a session that have not ended, as the session tells them."""

from __future__ import annotations

from typing import Any

from nsmlctl.api import Api

Json = dict[str, Any]
REHEARSAL = "rehearse"  # the kind of a submit that counts nowhere


def open_of(session: Json) -> list[Json]:
    """{id, kind, checkpoint, state} of each, newest first."""
    return list(session.get("open_submissions") or ())


def title(submission: Json) -> str:
    """As in `Submit 7`, of one that a session tells or of the submission itself."""
    counts_nowhere = submission.get("rehearsal") or submission.get("kind") == REHEARSAL
    return f"{'Rehearsal' if counts_nowhere else 'Submit'} {submission['id']}"


def how_to_cancel(session: str) -> str:
    """The words that end them."""
    return f"nsmlctl submit --cancel {session}"


def cancel_open(api: Api, session: Json, checkpoint: str | None = None) -> list[Json]:
    """End them, or those of one checkpoint; the server's own words on each.

    Raises:
        Refused: one is being scored again, which is the organiser's to end.
    """
    chosen = [each for each in open_of(session) if checkpoint in (None, str(each["checkpoint"]))]
    return [api.cancel_submission(int(each["id"])) for each in chosen]
