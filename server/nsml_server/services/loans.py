"""Checkpoints of one's other sessions, as a running program asks for them with `nsml.load(…, session=…)`."""

from __future__ import annotations

from nsml_server.domain.names import SessionName
from nsml_server.errors import NotFound
from nsml_server.services import attempts, checkpoints, specs
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction
from nsml_server.storage.repositories import questions, sessions
from nsml_server.storage.tables import Run, Session
from nsml_worker.contract import Tree


def lend(platform: Platform, run_id: int, token: str, wanted: str | None, name: str) -> Tree:
    """The files of a checkpoint, which the run may fetch from now on. None for `wanted`: its own session.

    Raises:
        NotFound: there is no such session of this user's, or it has no such checkpoint.
    """
    with platform.database.write() as tx:
        run, _ = attempts.require_current(tx, run_id, token)
        session = _find(tx, run, wanted)
        chosen = checkpoints.choose_newest(tx, session, name)
        questions.lend(tx, run.id, chosen.manifest)
        return checkpoints.tree_of(tx, chosen)


def _find(tx: ReadTransaction, run: Run, wanted: str | None) -> Session:
    own = sessions.of_id(tx, run.session_id)
    if own is not None and wanted in (None, "", str(specs.name_of(own))):
        return own
    name = SessionName.parse((wanted or "").strip())
    found = sessions.named(tx, run.user_id, name.dataset, name.number)
    if found is None or found.user.name != name.user:
        raise NotFound(f"There is no session {name} of yours.", code="no_such_session")
    return found
