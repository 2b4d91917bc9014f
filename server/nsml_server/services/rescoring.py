"""A dataset's owner has submits scored again: the prediction that is kept, measured by the dataset as it is now.

No new submit, no new row of a board: the same submission and its same scoring run, as another attempt. A score that stands
goes on standing until the new one lands; when the evaluation fails again, it stays.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nsml_server.domain import rescoring
from nsml_server.errors import Conflict, NotFound
from nsml_server.services import datasets, runs, submissions
from nsml_server.services.accounts import Caller
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.repositories import manifests, rescorings
from nsml_server.storage.repositories import runs as run_rows
from nsml_server.storage.repositories import submissions as submission_rows
from nsml_server.storage.tables import Dataset, DatasetVersion, Rescoring, Run, Submission
from nsml_worker.contract import RunKind

AT_ONCE = 250  # submits in one transaction, about a second on SQLite: workers wait for it to renew their leases
LISTED = 3  # files in a sentence
MAX_LIST = 10_000  # rows in one answer
ALLOWED = (
    "evaluation.py, the labels, the metric and the training data may change; test inputs and data_loader.py may not."
)


@dataclass(frozen=True)
class Wish:
    """Which submits. Of none named those that ended with the evaluation's fault; `every`: also those scored by today's metric.

    `after`: of those not named only later ones than this, since no more than AT_ONCE are taken up in one transaction.
    """

    submissions: tuple[int, ...] | None = None
    every: bool = False
    after: int = 0


@dataclass(frozen=True)
class Begun:
    """What is being scored again, (submission, why) of what was left as it is, and after which submission there are more."""

    rescorings: Sequence[Rescoring]
    left_out: Sequence[tuple[int, str]]
    more_after: int | None


def begin(platform: Platform, tx: WriteTransaction, caller: Caller, name: str, wish: Wish) -> Begun:
    """Queue the scoring of these submits once more, all in this transaction.

    Raises:
        Forbidden: the dataset is somebody else's.
        NotFound: a submission that was named is not one of this dataset.
        Conflict: one that was named cannot be scored again, or none of those found can; says what is in the way.
    """
    dataset = datasets.find(tx, name)
    datasets.require_owner(caller, dataset)
    if not dataset.leaderboard:
        raise Conflict(f"The dataset {name} has no leaderboard, so nothing of it is scored.", code="no_leaderboard")
    version, found = datasets.latest(tx, dataset), _choose(tx, dataset, wish)
    chosen = found if wish.submissions is not None else found[:AT_ONCE]
    changed_since, made_by = _comparison(tx, version), run_rows.of_submissions(tx, [row.id for row in chosen])
    problems = {row.id: why for row in chosen if (why := _problem(row, made_by.get(row.id, {}), changed_since))}
    if problems and (wish.submissions is not None or (len(problems) == len(found) and not wish.after)):
        raise Conflict(next(iter(problems.values())), hint=f"Of a dataset {ALLOWED}", code="not_rescorable")
    before = _newest(tx, dataset)
    for submission in chosen:
        if submission.id not in problems:
            _take_up(platform, tx, caller, submission, version)
    platform.hurry(tx)
    begun = rescorings.of_dataset(tx, dataset.id, before, MAX_LIST)
    return Begun(begun, list(problems.items()), chosen[-1].id if len(chosen) < len(found) else None)


def listed(tx: ReadTransaction, caller: Caller, name: str, after: int, last: int) -> Sequence[Rescoring]:
    """What was scored again on a dataset of one's own, newest first. Raises Forbidden."""
    dataset = datasets.find(tx, name)
    datasets.require_owner(caller, dataset)
    return rescorings.of_dataset(tx, dataset.id, after, last)


def _newest(tx: ReadTransaction, dataset: Dataset) -> int:
    return next((row.id for row in rescorings.of_dataset(tx, dataset.id, 0, 1)), 0)


def _choose(tx: ReadTransaction, dataset: Dataset, wish: Wish) -> Sequence[Submission]:
    if wish.submissions is not None:
        return [_of_dataset(tx, dataset, number) for number in dict.fromkeys(wish.submissions)]
    one_more = AT_ONCE + 1  # tells that there are more
    return submission_rows.predicted(
        tx, dataset.id, rescoring.UNJUDGED, scored=wish.every, after=wish.after, last=one_more
    )


def _of_dataset(tx: ReadTransaction, dataset: Dataset, number: int) -> Submission:
    submission = submission_rows.of_id(tx, number)
    if submission is None or submission.dataset_id != dataset.id:
        hint = f"`nsmlctl dataset problems {dataset.name}` lists those that its evaluation failed."
        raise NotFound(f"There is no submission {number} on {dataset.name}.", hint=hint)
    return submission


def _problem(
    submission: Submission, made_by: Mapping[RunKind, Run], changed_since: Callable[[int | None], list[str]]
) -> str | None:
    why = rescoring.refusal(
        submission.state,
        has_prediction=submission.prediction_hash is not None,
        is_rehearsal=submission.is_rehearsal,
    )
    if why:
        return f"Submission {submission.id} {why}."
    # Measured against the version the prediction was made on, whatever its score was measured by later.
    changed = changed_since(made_by[RunKind.PREDICT].version_id)
    if not changed:
        return None
    named = ", ".join(changed[:LISTED]) + (", …" if len(changed) > LISTED else "")
    return f"The prediction of submission {submission.id} was made from other test inputs ({named} changed since)."


def _comparison(tx: ReadTransaction, version: DatasetVersion) -> Callable[[int | None], list[str]]:
    """Which inputs have changed between a version and this one; many submits share a version, so it is remembered."""
    now = manifests.load(tx, version.manifest)

    @functools.cache
    def changed_since(version_id: int | None) -> list[str]:
        then = tx.get(DatasetVersion, version_id)
        return [] if then is None else rescoring.changed_inputs(manifests.load(tx, then.manifest), now)

    return changed_since


def _take_up(
    platform: Platform, tx: WriteTransaction, caller: Caller, submission: Submission, version: DatasetVersion
) -> None:
    run_rows.lock_of_submission(tx, submission.id)
    scoring = run_rows.of_submission(tx, submission.id)[RunKind.SCORE]
    again = Rescoring(
        submission_id=submission.id,
        version_id=version.id,
        user_id=caller.id,
        asked_at=platform.now(),
        former_version_id=submission.dataset_version_id,
        former_state=submission.state,
        former_score=submission.score,
        former_reason=submission.reason,
        former_ended_at=submission.ended_at,
    )
    tx.add(again)
    tx.flush()
    submissions.take_up(platform, tx, submission)
    runs.take_up(platform, tx, scoring, version.id)
