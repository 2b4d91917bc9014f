"""The board: one kept best for each user, of equal scores the one submitted earlier."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from nsml_server.domain import ranking
from nsml_server.storage.database import ReadTransaction, WriteTransaction, wait_for_turn
from nsml_server.storage.repositories import board, submissions
from nsml_server.storage.tables import Best, Dataset, Submission

SHOWN = 10_000  # rows of a board in one answer


@dataclass(frozen=True)
class Row:
    """A line of a board: a place and what earned it. `count` is how many submits of this user have a score."""

    rank: int
    submission: Submission
    count: int


def take_turn(tx: WriteTransaction, dataset: str) -> None:
    """Until our commit nobody else changes the board of this dataset, nor what counts on it.

    Said before the dataset is read: a score is compared with the metric and the order that hold when it lands.
    """
    wait_for_turn(tx, f"board {dataset}")


def record(tx: WriteTransaction, dataset: Dataset, submission: Submission) -> None:
    """Count a submission that has just got its score, in the transaction that gave it."""
    new = _entry(submission)
    best = board.best_of(tx, dataset.id, submission.user_id)
    if best is None:
        tx.add(_best(dataset.id, submission.user_id, new, count=1))
        tx.flush()
        return
    old = ranking.Entry(best.submission_id, "", best.score, best.submitted_at)
    better = ranking.best_of(old, new, dataset.order)
    best.count += 1
    if better is new:
        best.submission_id, best.score, best.submitted_at = new.id, new.score, new.at
    tx.flush()


def recount(tx: WriteTransaction, dataset: Dataset, user_id: int | None = None) -> None:
    """Fill the board anew from all scores that count: after the order was turned round, or the metric is another.

    `user_id`: only this user's row, after a score of theirs was measured again.
    """
    entries: dict[int, list[ranking.Entry]] = {}
    for submission in submissions.scored(tx, dataset.id, user_id):
        entries.setdefault(submission.user_id, []).append(_entry(submission))
    board.clear(tx, dataset.id, user_id)
    for owner, scored in entries.items():
        for best in ranking.bests(scored, dataset.order):
            tx.add(_best(dataset.id, owner, best, count=len(scored)))
    tx.flush()


def everyone(tx: ReadTransaction, dataset: Dataset) -> list[Row]:
    """Each user's best, in order; equal scores share a place and the next one is skipped."""
    rows: list[Row] = []
    for index, best in enumerate(board.top(tx, dataset.id, dataset.order, SHOWN), start=1):
        shares = bool(rows) and rows[-1].submission.score == best.score
        rows.append(Row(rows[-1].rank if shares else index, best.submission, best.count))
    return rows


def own(tx: ReadTransaction, dataset: Dataset, user_id: int) -> list[Row]:
    """All scores of one user, best first."""
    scored: Sequence[Submission] = submissions.scored(tx, dataset.id, user_id)
    by_id = {submission.id: submission for submission in scored}
    ranked = ranking.rank((_entry(submission) for submission in scored), dataset.order)
    return [Row(item.rank, by_id[item.entry.id], len(scored)) for item in ranked]


def standings(tx: ReadTransaction, rows: Sequence[Submission]) -> dict[int, tuple[int, bool]]:
    """Of those of these submissions that count: the place of their user, and whether it is the one on the board.

    Asks once for each user and board among them, however many they are.
    """
    counting = submissions.counting(tx, [row.id for row in rows])
    find_place = functools.cache(functools.partial(_place, tx))
    places = {row.id: find_place(row.dataset, row.user_id) for row in rows if row.id in counting}
    return {number: (place[0], place[1] == number) for number, place in places.items() if place}


def best_of(tx: ReadTransaction, session_ids: Sequence[int]) -> dict[int, float]:
    """The best score of each of these sessions that has one."""
    best: dict[int, float] = {}
    for session_id, score, order in submissions.scores_of(tx, session_ids):
        if ranking.is_better(score, best.get(session_id), order):
            best[session_id] = score
    return best


def _place(tx: ReadTransaction, dataset: Dataset, user_id: int) -> tuple[int, int] | None:
    """Somebody's place, and the submission that earned it."""
    best = board.best_of(tx, dataset.id, user_id)
    if best is None:
        return None
    return board.count_better(tx, dataset.id, dataset.order, best.score) + 1, best.submission_id


def _entry(submission: Submission) -> ranking.Entry:
    # A submission without a score is never handed in; NaN keeps a mistake off the board.
    score = float("nan") if submission.score is None else submission.score
    return ranking.Entry(submission.id, str(submission.user_id), score, submission.created_at)


def _best(dataset_id: int, user_id: int, entry: ranking.Entry, count: int) -> Best:
    return Best(
        dataset_id=dataset_id,
        user_id=user_id,
        submission_id=entry.id,
        score=entry.score,
        submitted_at=entry.at,
        count=count,
    )
