"""Checkpoints: taken in as the worker reports them, and chosen for a submit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog

from nsml_server.domain import journal, ranking, trees
from nsml_server.domain.names import check_checkpoint, escaped, shown
from nsml_server.domain.ranking import Order
from nsml_server.errors import Conflict, Invalid, NotFound, NsmlError, TooLarge
from nsml_server.services import files, runs, specs
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.repositories import checkpoints, manifests, origins
from nsml_server.storage.tables import Checkpoint, Run, Session
from nsml_worker.contract import RunKind, Tree

LISTED = 20  # names in a sentence
MAX_WHY = 500  # characters of the reason for which a worker did not take one
SAVE_FIRST = "Call `nsml.bind(save=…, load=…, infer=…)` and then `nsml.save(name)` in the program, and run it again."
TOO_LARGE = "NSML Warning) Cannot upload models over"  # the original's words: people look for them

log = structlog.get_logger()


def of_session(tx: ReadTransaction, session: Session) -> Sequence[Checkpoint]:
    """All of a session, in the order in which they were saved."""
    return checkpoints.of_session(tx, session.id)


def tree_of(tx: ReadTransaction, checkpoint: Checkpoint) -> Tree:
    """Its files."""
    return manifests.load(tx, checkpoint.manifest)


def take(platform: Platform, tx: WriteTransaction, run: Run, told: dict[str, Any]) -> None:
    """Keep a checkpoint that the worker has stored. One that we do not take is left out, and the training goes on."""
    if "refused" in told:
        runs.notice(platform, tx, run, _refusal(told))
        return
    try:
        name, values = _read(platform, tx, run, told)
        _check_size(run, name, values["size"])
    except (NsmlError, ValueError, TypeError, KeyError) as error:
        log.warning("checkpoint_refused", run=run.id, why=str(error)[:500])
        if isinstance(error, NsmlError):
            runs.notice(platform, tx, run, error.message)
        return
    checkpoints.save(tx, run.session_id, name, values)
    platform.tell(tx, f"session:{run.id}")


def choose(tx: ReadTransaction, session: Session, name: str | None, metric: str, order: Order) -> Checkpoint:
    """The one of this name; without a name the best by the board's metric where it was reported, else the newest.

    Raises:
        NotFound: there is no such checkpoint; lists those there are.
        Conflict: there is none at all.
    """
    saved = _all_saved(tx, session, "submit")
    if name is None:
        return _best(saved, metric, order) or saved[-1]
    return _named(session, saved, name)


def choose_newest(tx: ReadTransaction, session: Session, name: str | None) -> Checkpoint:
    """The one of this name, else the newest: what a fork goes on from. Raises as `choose`."""
    saved = _all_saved(tx, session, "load")
    return saved[-1] if name is None else _named(session, saved, name)


def served_by(tx: ReadTransaction, session: Session) -> str | None:
    """The session whose checkpoint this one answers with; None of one that saves its own."""
    origin = origins.named(tx, [session.id]).get(session.id) if session.run.kind is RunKind.SERVE else None
    return f"{origin.user}/{origin.dataset}/{origin.number}" if origin else None


def _all_saved(tx: ReadTransaction, session: Session, purpose: str) -> Sequence[Checkpoint]:
    saved = checkpoints.of_session(tx, session.id)
    if not saved:
        raise _nothing_saved(tx, session, purpose)
    return saved


def _named(session: Session, saved: Sequence[Checkpoint], name: str) -> Checkpoint:
    for checkpoint in saved:
        if checkpoint.name == name:
            return checkpoint
    names = [checkpoint.name for checkpoint in saved]
    listed = ", ".join(names[-LISTED:])
    raise NotFound(
        f"{specs.name_of(session)} has no checkpoint {shown(name)}.",
        hint=f"It has: {'…, ' if len(names) > LISTED else ''}{listed}.",
        code="no_such_checkpoint",
        details={"checkpoints": names},
    )


def _read(platform: Platform, tx: WriteTransaction, run: Run, told: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    settings = platform.settings
    name = check_checkpoint(str(told["name"]))
    tree = trees.check_tree(
        Tree.from_dict(told["tree"]),
        max_files=settings.checkpoint_files,
        max_file_bytes=settings.dataset_file_bytes,
        max_bytes=settings.checkpoint_bytes,
    )
    files.require_held(tx, files.holder_of_run(run), tree)
    if checkpoints.count(tx, run.session_id) >= settings.checkpoints:
        raise TooLarge(f"A session keeps at most {settings.checkpoints:,} checkpoints.")
    line = journal.parse_object(
        {"k": journal.SAVE, "t": told["saved_at"], "name": name, "dir": "", "summary": told.get("summary")}
    )
    if line is None:
        raise Invalid("The checkpoint's time is out of range.")
    saved_at = min(float(line["t"]), platform.now())
    before = checkpoints.last_saved_at(tx, run.session_id) or run.started_at or saved_at
    values = {"manifest": manifests.save(tx, tree), "size": tree.size, "summary": line["summary"]}
    return name, {**values, "saved_at": saved_at, "elapsed": max(0.0, saved_at - before)}


def _refusal(told: dict[str, Any]) -> str:
    """What its owner is told of a checkpoint that the worker did not take. Both texts began in a box."""
    why = escaped(str(told["refused"]), MAX_WHY).rstrip(".")
    return f"The checkpoint {shown(str(told.get('name', '')))} was not kept: {why}."


def _check_size(run: Run, name: str, size: int) -> None:
    """Raises TooLarge, in NSML's words, for a model beyond what its dataset allows."""
    limit = None if run.version is None else run.version.dataset.max_model_bytes
    if limit is not None and size > limit:
        raise TooLarge(f"{TOO_LARGE} {float(limit)} ({shown(name)} has {size:,} bytes)")


def _best(saved: Sequence[Checkpoint], metric: str, order: Order) -> Checkpoint | None:
    entries = [
        ranking.Entry(index, "", float(checkpoint.summary[metric]), checkpoint.saved_at)
        for index, checkpoint in enumerate(saved)
        if isinstance(checkpoint.summary.get(metric), (int, float))
    ]
    ranked = ranking.rank(entries, order)
    return saved[ranked[0].entry.id] if ranked else None


def _nothing_saved(tx: ReadTransaction, session: Session, purpose: str) -> Conflict:
    name, run = specs.name_of(session), session.run
    source = served_by(tx, session)
    if source is not None:
        return Conflict(
            f"{name} answers with a checkpoint of {source} and saves none of its own.",
            hint=f"Name that session instead: {source}.",
            code="no_checkpoint",
        )
    if run.state.is_final:
        return Conflict(
            f"{name} has ended and saved no checkpoint, so there is nothing to {purpose}.",
            hint=run.notices[-1] if run.notices else run.message or SAVE_FIRST,
            code="no_checkpoint",
        )
    return Conflict(
        f"{name} has saved no checkpoint yet: it is {run.state}.",
        hint=f"Wait for its first `nsml.save`; `nsmlctl logs -f {name}` shows how far it is.",
        code="no_checkpoint",
    )
