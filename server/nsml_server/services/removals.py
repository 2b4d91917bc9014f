"""Sessions that are taken off the list. Their numbers are not given again, and scores they earned stay."""

from __future__ import annotations

from nsml_server.domain.patterns import matches_session
from nsml_server.errors import Conflict
from nsml_server.services import runs, sessions, specs, submissions
from nsml_server.services.accounts import Caller
from nsml_server.services.platform import Platform
from nsml_server.storage.database import WriteTransaction
from nsml_server.storage.repositories import runs as run_rows
from nsml_server.storage.repositories import sessions as session_rows
from nsml_server.storage.repositories import submissions as submission_rows
from nsml_server.storage.tables import Session


def remove(platform: Platform, tx: WriteTransaction, session: Session, *, force: bool = False) -> None:
    """Take it off the list. `force`: end it, and its submits, when they go on.

    Raises:
        Conflict: it, or a submit of it, has not ended; or one is being scored again, which is the organiser's to end.
    """
    run_rows.lock_of_sessions(tx, [session.id])
    name = specs.name_of(session)
    if not session.run.state.is_final and not force:
        raise Conflict(
            f"{name} has not ended.", hint=f"Stop it first: `nsmlctl stop {name}`; or do both: `nsmlctl rm -f {name}`."
        )
    if submission_rows.is_under_way(tx, session.id) and not force:
        raise Conflict(
            f"A submit of {name} has not ended.",
            hint=f"Wait for it, or end it: `nsmlctl submit --cancel {name}`; or do both: `nsmlctl rm -f {name}`.",
        )
    submissions.cancel_all(platform, tx, session)
    runs.ask_to_stop(platform, tx, runs.find(tx, session.run.id))
    session.deleted_at = platform.now()
    tx.flush()
    runs.tell(platform, tx, session.run)


def remove_matching(
    platform: Platform, tx: WriteTransaction, caller: Caller, pattern: str, *, force: bool = False
) -> list[str]:
    """Take every session of one's own that a pattern names off the list, all or none. Their names. `force`: as in `remove`.

    Raises:
        NotFound: none is called so.
        Conflict: as in `remove`, of one of them.
    """
    own = session_rows.of_user(tx, caller.id, ended_after=None, dataset=None, search=None, last=sessions.MAX_LIST)
    chosen = [session for session in own if matches_session(specs.name_of(session), pattern)]
    if not chosen:
        raise sessions.unknown(pattern)
    run_rows.lock_of_sessions(tx, [session.id for session in chosen])  # all at once: runs are locked by their ids
    for session in chosen:
        remove(platform, tx, session, force=force)
    return [str(specs.name_of(session)) for session in chosen]
