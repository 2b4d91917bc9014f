"""What pages show, read through the services: the same dictionaries as the API's answers, and nothing beside them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from nsml_server.errors import Forbidden, NotFound, Unauthenticated
from nsml_server.services import (
    checkpoints,
    contents,
    datasets,
    leaderboard,
    lineage,
    problems,
    products,
    scoring_views,
    sessions,
    submissions,
    views,
)
from nsml_server.services.accounts import Caller
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction
from nsml_server.web import logtext
from nsml_server.web.addresses import SessionName

FILES = 500  # of a folder on a page; `nsmlctl pull` and `nsmlctl download` bring all
PROBLEMS = 20  # of a dataset on its page; `nsmlctl dataset problems` lists more
LISTED = 100  # rows of a table on a session's page; the command line lists all
LOG = "log"
LIVE = ("running", "paused")  # states in which a program can be asked
# What a submission goes through, in order.
STEPS = ("queued", "predicting", "scoring", "scored")


def read_board(platform: Platform, caller: Caller | None, name: str, mine: bool) -> dict[str, Any]:
    """A dataset and its board: the best of everyone, or all scores of the caller.

    Raises:
        NotFound: there is no such dataset, or it has no leaderboard.
        Unauthenticated: nobody is logged in, and `mine` was asked for.
    """
    if mine and caller is None:
        raise Unauthenticated("Your own submissions are shown to you alone.")
    with platform.database.read() as tx:
        dataset = datasets.find(tx, name)
        if not dataset.leaderboard:
            raise NotFound(f"The dataset {dataset.name} has no leaderboard.")
        rows = leaderboard.own(tx, dataset, caller.id) if mine and caller else leaderboard.everyone(tx, dataset)
        board = views.board(dataset, rows)
        return {"dataset": views.dataset(platform, tx, dataset), "board": board, "newest": _newest(board), "mine": mine}


def read_problems(platform: Platform, caller: Caller | None, name: str) -> list[dict[str, Any]]:
    """What a dataset's own programs failed at, for its owner; nothing for anybody else. Raises NotFound."""
    with platform.database.read() as tx:
        if caller is None or not datasets.is_owner(caller, datasets.find(tx, name)):
            return []
        found = problems.of_dataset(platform, tx, caller, name, PROBLEMS)
        shown = [scoring_views.problem(problem) for problem in found]
    return [{**one, "log": logtext.clean(one["log"].encode(), final=True).text} for one in shown]


def read_session(platform: Platform, tx: ReadTransaction, caller: Caller, name: SessionName) -> dict[str, Any]:
    """The caller's session, its files and family, its newest checkpoints and submissions, newest first. Raises NotFound."""
    session = sessions.find(tx, caller, *name, None)
    saved = checkpoints.of_session(tx, session)
    submitted = submissions.of_session(tx, session)
    newest = [(checkpoint, checkpoints.tree_of(tx, checkpoint)) for checkpoint in reversed(saved[-LISTED:])]
    shown, family = views.session(platform, tx, session), lineage.family(platform, tx, session, LISTED)
    return {
        "session": shown,
        "run_id": session.run.id,
        "base": address_of(shown["name"]),
        "is_live": shown["state"] in LIVE,
        "has_board": datasets.has_board(tx, session.dataset),
        "checkpoints": views.checkpoints(newest),
        "submissions": views.submission_list(platform, tx, submitted[:LISTED]),
        "submission_count": len(submitted),
        "submit_key": SubmitKey(session.id, submitted[0].id if submitted else 0),
        "resume_key": f"{session.id}-{family['child_count']}",
        **family,
        **read_products(tx, session),
    }


def read_code(platform: Platform, caller: Caller, name: SessionName) -> dict[str, Any]:
    """The uploaded files of the caller's session, at most FILES of them, and how many there are. Raises NotFound."""
    with platform.database.read() as tx:
        tree = contents.code_of(tx, sessions.find(tx, caller, *name, None))
    return {"code": views.tree(tree)["files"][:FILES], "code_count": len(tree.files)}


def read_products(tx: ReadTransaction, session: Any) -> dict[str, Any]:
    """What the program of a session row wrote, what of it was not kept, and why it may not be taken home, if so."""
    kept, left_out = products.of_session(tx, session)
    shown = {"products": views.tree(kept)["files"][:FILES], "product_count": len(kept.files), "left_out": left_out}
    try:
        contents.require_pullable(tx, session)
    except Forbidden as error:
        return {**shown, "kept_in": error.message}
    return {**shown, "kept_in": None}


def address_of(name: str) -> str:
    """Where the page of a session is."""
    return f"/session/{quote(name)}"


def read_submission(platform: Platform, caller: Caller, number: int) -> dict[str, Any]:
    """One submission of the caller and how far it is; of a rehearsal its log too. Raises NotFound."""
    with platform.database.read() as tx:
        submission = views.submission(platform, tx, submissions.find(tx, caller, number))
        run_id = submissions.log_of(tx, caller, number) if submission["rehearsal"] else None
    log = None if run_id is None else read_log(platform, run_id, final=submission["final"])
    return {"submission": submission, "steps": steps_of(submission["state"], submission["phase"]), "log": log}


def steps_of(state: str, phase: str | None) -> list[tuple[str, str]]:
    """The way of a submission as (state, tone); where it ended without a score, the end is its last step.

    A program that reached any `phase` was predicting.
    """
    if state not in STEPS:
        passed = STEPS[:2] if phase else STEPS[:1]
        return [*((step, "good") for step in passed), (state, "bad" if state == "failed" else "quiet")]
    now = STEPS.index(state)
    tones = ["good"] * now + ["good" if state == STEPS[-1] else "active"] + ["quiet"] * (len(STEPS) - now - 1)
    return list(zip(STEPS, tones, strict=True))


def _newest(board: dict[str, Any]) -> dict[str, Any] | None:
    return max(board["entries"], key=lambda entry: entry["submitted_at"], default=None)


@dataclass(frozen=True)
class LogTail:
    """The end of a log as text. Bytes: `start` to `offset` are shown, of `size` in all."""

    text: str
    start: int
    offset: int
    size: int


def read_log(platform: Platform, run_id: int, *, final: bool) -> LogTail:
    """The last TAIL bytes of a run's log, from a whole line on."""
    size = platform.streams.size(run_id, LOG)
    start = logtext.tail_offset(size)
    data = platform.streams.read(run_id, LOG, start, logtext.TAIL)
    dropped = logtext.align_start(data, start)
    piece = logtext.clean(data[dropped:], final=final)
    return LogTail(logtext.fold_returns(piece.text), start + dropped, start + dropped + piece.consumed, size)


@dataclass(frozen=True)
class SubmitKey:
    """Idempotency keys for a page's submit buttons: a button pressed twice submits once.

    Once the page shows a newer submission, the same checkpoint may be submitted again.
    """

    session_id: int
    newest: int

    def __call__(self, checkpoint: str) -> str:
        """The key of one checkpoint's button."""
        named = f"{self.session_id}\0{self.newest}\0{checkpoint}"
        return "page-" + hashlib.blake2b(named.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
