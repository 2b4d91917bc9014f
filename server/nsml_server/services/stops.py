"""Sessions that are stopped: by their owner, or by an administrator, and then their owner is told."""

from __future__ import annotations

from nsml_server.domain.names import parse_number
from nsml_server.domain.reasons import Reason
from nsml_server.errors import NotFound
from nsml_server.services import runs, sessions
from nsml_server.services.accounts import Caller
from nsml_server.services.platform import Platform
from nsml_server.services.sessions import Reference
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.repositories import accounts
from nsml_server.storage.repositories import sessions as session_rows
from nsml_server.storage.tables import Session


def find(tx: ReadTransaction, named: Reference) -> Session:
    """One's own session; an administrator may name anybody's in full.

    Raises:
        NotFound, AmbiguousSession: see sessions.find.
    """
    try:
        return named.find(tx)
    except NotFound:
        owner = accounts.user_named(tx, named.user) if named.caller.admin else None
        other = None if owner is None else session_rows.named(tx, owner.id, named.dataset, parse_number(named.number))
        if other is None:
            raise
        return other


def stop(platform: Platform, tx: WriteTransaction, caller: Caller, session: Session) -> Session:
    """End its training; harmless when it has ended."""
    why = Reason.STOPPED if session.user_id == caller.id else Reason.STOPPED_BY_OPERATOR
    runs.ask_to_stop(platform, tx, runs.find(tx, session.run.id), why)
    return sessions.of_id(tx, session.id)
