"""What people read back: the code of a session, and the files of its checkpoints."""

from __future__ import annotations

from nsml_server.domain.names import shown
from nsml_server.domain.patterns import matches
from nsml_server.errors import Forbidden, NotFound
from nsml_server.services import checkpoints, runs, specs
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.repositories import checkpoints as checkpoint_rows
from nsml_server.storage.repositories import datasets, manifests
from nsml_server.storage.tables import Session
from nsml_worker.contract import FileEntry, Tree


def code_of(tx: ReadTransaction, session: Session) -> Tree:
    """What was uploaded."""
    return manifests.load(tx, session.code)


def checkpoint_of(tx: ReadTransaction, session: Session, name: str) -> Tree:
    """The files of one checkpoint. Raises NotFound, listing those there are."""
    return checkpoints.tree_of(tx, checkpoints.choose_newest(tx, session, name))


def find_file(tree: Tree, path: str) -> FileEntry:
    """One file of a tree. Raises NotFound."""
    for entry in tree.files:
        if entry.path == path:
            return entry
    listed = ", ".join(entry.path for entry in tree.files[:10])
    raise NotFound(f"There is no file {shown(path)}.", hint=f"There are: {listed}." if listed else None)


def require_pullable(tx: ReadTransaction, session: Session) -> None:
    """Raises Forbidden where the organiser keeps what was trained on the data."""
    version = None if session.version_id is None else datasets.version_of(tx, session.version_id)
    if version is not None and not version.dataset.pull_models:
        raise Forbidden(
            f"Models trained on {version.dataset.name} stay on the platform: its organiser forbids taking them home.",
            hint=f"Submit it instead: `nsmlctl submit {specs.name_of(session)}`.",
            code="pull_forbidden",
        )


def remove_checkpoints(platform: Platform, tx: WriteTransaction, session: Session, pattern: str) -> list[str]:
    """Forget the checkpoints a pattern names; submits and sessions that began with one keep it. Returns their names.

    Raises:
        NotFound: none is called so; lists those there are.
    """
    saved = checkpoint_rows.of_session(tx, session.id)
    chosen = [checkpoint for checkpoint in saved if matches(checkpoint.name, pattern)]
    if not chosen:
        listed = ", ".join(checkpoint.name for checkpoint in saved[-checkpoints.LISTED :])
        raise NotFound(
            f"No checkpoint of {specs.name_of(session)} is called {shown(pattern)}.",
            hint=f"It has: {listed}." if listed else "It has saved none.",
            code="no_such_checkpoint",
        )
    checkpoint_rows.delete(tx, [checkpoint.id for checkpoint in chosen])
    runs.tell(platform, tx, session.run)
    return [checkpoint.name for checkpoint in chosen]
