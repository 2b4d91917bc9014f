"""Requests that were accepted once: the same key of the same user gives the same answer."""

from __future__ import annotations

from nsml_server.domain.names import is_visible
from nsml_server.errors import Conflict, Invalid
from nsml_server.storage.database import WriteTransaction, wait_for_turn
from nsml_server.storage.repositories import accepted
from nsml_server.storage.tables import Accepted

SESSION, SUBMISSION, REHEARSAL = "session", "submission", "rehearsal"
KEPT = 7 * 86400.0  # seconds in which a key is known again
MAX_KEY = 128  # characters


def recall(tx: WriteTransaction, user_id: int, key: str | None, what: str) -> int | None:
    """What this key led to before; None when it is new.

    Raises:
        Conflict: it was used for something of another kind.
    """
    if key is None:
        return None
    if not 0 < len(key) <= MAX_KEY or not is_visible(key):
        raise Invalid(f"An Idempotency-Key has 1 to {MAX_KEY} visible characters.")
    wait_for_turn(tx, f"request {user_id} {key}")
    known = accepted.of_key(tx, user_id, key)
    if known is None:
        return None
    if known.what != what:
        raise Conflict(f"This Idempotency-Key was used for a {known.what}.", hint="Use a new key for each request.")
    return known.made


def remember(tx: WriteTransaction, user_id: int, key: str | None, what: str, made: int, now: float) -> None:
    """In the same transaction as what was made: of two requests at once, one lands and the other is told of it."""
    if key is not None:
        tx.add(Accepted(user_id=user_id, key=key, what=what, made=made, created_at=now))
        tx.flush()
