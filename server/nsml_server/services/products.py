"""The files a program left behind: taken in once it has ended, and given back to its owner."""

from __future__ import annotations

from typing import Any

import structlog

from nsml_server.domain import trees
from nsml_server.domain.names import escaped
from nsml_server.errors import NsmlError
from nsml_server.services import files, runs
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.repositories import manifests, products
from nsml_server.storage.tables import Run, Session
from nsml_worker.contract import Tree

MAX_LEFT_OUT = 1000  # files of which it is told why they were not kept
MAX_TEXT = 300  # characters of a path or a reason

log = structlog.get_logger()


def take(platform: Platform, tx: WriteTransaction, run: Run, told: dict[str, Any]) -> None:
    """Keep what the worker has collected. What we do not take is left out, and the owner is told.

    What ran for a submit may hold the hidden test: nothing of it is kept.
    """
    if run.submission_id is not None:
        return
    settings = platform.settings
    try:
        whole = Tree.from_dict(told["tree"])
        odd = {entry.path: problem for entry in whole.files if (problem := trees.path_problem(entry.path))}
        tree = trees.check_tree(
            Tree(tuple(entry for entry in whole.files if entry.path not in odd)),
            max_files=settings.product_files,
            max_file_bytes=settings.product_bytes,
            max_bytes=settings.product_bytes,
        )
        files.require_held(tx, files.holder_of_run(run), tree)
    except (NsmlError, ValueError, TypeError, KeyError) as error:
        log.warning("files_refused", run=run.id, why=str(error)[:500])
        why = error.message if isinstance(error, NsmlError) else "What the worker told of them cannot be read."
        runs.notice(platform, tx, run, f"The files that the program wrote were not kept: {why}")
        return
    left_out = [[_visible(path), f"its name {problem}"] for path, problem in odd.items()]
    left_out = (left_out + _left_out(told.get("left_out")))[:MAX_LEFT_OUT]
    products.save(tx, run.session_id, manifests.save(tx, tree), left_out)
    platform.tell(tx, f"session:{run.id}")


def of_session(tx: ReadTransaction, session: Session) -> tuple[Tree, list[list[str]]]:
    """What is kept, and [path, why] of what is not; both empty until the program has ended."""
    product = products.of_session(tx, session.id)
    return (Tree(), []) if product is None else (manifests.load(tx, product.manifest), product.left_out)


def _left_out(told: object) -> list[list[str]]:
    """What of it can be shown: names come from a box."""
    rows = told if isinstance(told, list) else []
    pairs = [
        row for row in rows if isinstance(row, list) and len(row) == 2 and all(isinstance(part, str) for part in row)
    ]
    return [[_visible(path), _visible(why)] for path, why in pairs[:MAX_LEFT_OUT]]


def _visible(text: str) -> str:
    return escaped(text, MAX_TEXT)
