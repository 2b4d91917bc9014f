"""Submits: a prediction, then a scoring, each its own run. Every step is one transaction with what it leads to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nsml_server.domain.names import NO_DATASET
from nsml_server.domain.reasons import Reason
from nsml_server.domain.states import RunState, SubmissionState, advance
from nsml_server.errors import Conflict, NotFound
from nsml_server.services import checkpoints, datasets, leaderboard, nodes, requests, runs, specs
from nsml_server.services.accounts import Caller
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.repositories import runs as run_rows
from nsml_server.storage.repositories import submissions
from nsml_server.storage.tables import Checkpoint, Dataset, DatasetVersion, Run, Session, Submission
from nsml_worker.contract import Collected, RunKind

MAX_LIST = 10_000  # submits in one answer


def submit(
    platform: Platform, tx: WriteTransaction, caller: Caller, session: Session, checkpoint: str | None, key: str | None
) -> Submission:
    """Accept a submit: its row and its prediction, in this transaction.

    Raises:
        Conflict: the session has no dataset with a leaderboard, or nothing saved.
        NotFound: there is no such checkpoint; lists those there are.
    """
    known = requests.recall(tx, caller.id, key, requests.SUBMISSION)
    if known is not None:
        return find(tx, caller, known)
    dataset = _dataset_of(tx, session)
    chosen = checkpoints.choose(tx, session, checkpoint, dataset.metric, dataset.order)
    submission = _row(platform, session, dataset, datasets.latest(tx, dataset), chosen)
    tx.add(submission)
    tx.flush()
    trained = session.run
    tx.add(_run(platform, submission, RunKind.PREDICT, trained, cpus=trained.cpus, gpus=trained.gpus))
    tx.flush()
    requests.remember(tx, caller.id, key, requests.SUBMISSION, submission.id, platform.now())
    platform.tell(tx, f"session:{trained.id}", f"submission:{submission.id}")
    platform.hurry(tx)
    return find(tx, caller, submission.id)


def find(tx: ReadTransaction, caller: Caller, submission_id: int) -> Submission:
    """One's own submit. Raises NotFound, also for somebody else's."""
    submission = submissions.of_id(tx, submission_id)
    if submission is None or submission.user_id != caller.id:
        raise NotFound(f"There is no submission {submission_id} of yours.", hint="`nsmlctl submissions` lists yours.")
    return submission


def listed(tx: ReadTransaction, caller: Caller, dataset: str | None, last: int | None) -> Sequence[Submission]:
    """One's own submits, newest first."""
    count = MAX_LIST if last is None else max(0, min(last, MAX_LIST))
    return submissions.of_user(tx, caller.id, dataset, count)


def of_session(tx: ReadTransaction, session: Session) -> Sequence[Submission]:
    """A session's submits, newest first."""
    return submissions.of_session(tx, session.id)


def cancel(platform: Platform, tx: WriteTransaction, submission: Submission) -> Submission:
    """End a submit at once, also with no worker alive; harmless when it has ended."""
    if not submission.state.is_final:
        _move(platform, tx, submission, SubmissionState.CANCELLED, **_end(platform, Reason.CANCELLED, None, None))
        for run in run_rows.of_submission(tx, submission.id).values():
            runs.ask_to_stop(platform, tx, run)
        tx.refresh(submission, ["version"])
    return submission


def move_of_run(platform: Platform, tx: WriteTransaction, run: Run, target: SubmissionState) -> None:
    """A run of a submit has come so far; one that is there already, or has ended, stays as it is."""
    submission = _of_run(tx, run)
    if submission.state is not target and not submission.state.is_final:
        _move(platform, tx, submission, target)


def begin_scoring(platform: Platform, tx: WriteTransaction, run: Run, prediction: Collected) -> None:
    """The prediction is there: the scoring is queued in the same transaction."""
    submission = _of_run(tx, run)
    if submission.state.is_final:
        return
    stored = {"prediction_hash": prediction.hash, "prediction_size": prediction.size}
    _move(platform, tx, submission, SubmissionState.SCORING, phase=None, **stored)
    tx.add(_run(platform, submission, RunKind.SCORE, run, cpus=nodes.DEFAULT_CPUS, gpus=0))
    tx.flush()
    platform.hurry(tx)


def land_score(platform: Platform, tx: WriteTransaction, run: Run, score: float) -> None:
    """Score, board and final state, in one transaction and once."""
    submission = _of_run(tx, run)
    if submission.state.is_final:
        return
    _move(platform, tx, submission, SubmissionState.SCORED, score=score, ended_at=platform.now())
    leaderboard.record(tx, submission.dataset, submission)
    platform.tell(tx, f"board:{submission.dataset.name}", *_topics_of_session(submission))


def fail(platform: Platform, tx: WriteTransaction, run: Run, reason: Reason, phase: str | None, message: str) -> None:
    """The submit ends without a score, and says why."""
    submission = _of_run(tx, run)
    if not submission.state.is_final:
        _move(platform, tx, submission, SubmissionState.FAILED, **_end(platform, reason, phase, message))


def current_run(tx: ReadTransaction, submission: Submission) -> Run | None:
    """The run on which a submit waits now; None when it has ended."""
    if submission.state.is_final:
        return None
    found = run_rows.of_submission(tx, submission.id)
    return found.get(RunKind.SCORE) or found.get(RunKind.PREDICT)


def _move(
    platform: Platform, tx: WriteTransaction, submission: Submission, target: SubmissionState, **values: Any
) -> None:
    submissions.change(tx, submission, {"state": advance(submission.state, target), **values})
    platform.tell(tx, f"submission:{submission.id}", *_topics_of_session(submission))


def _end(platform: Platform, reason: Reason, phase: str | None, message: str | None) -> dict[str, Any]:
    return {"reason": reason.value, "phase": phase, "message": message, "ended_at": platform.now()}


def _topics_of_session(submission: Submission) -> list[str]:
    return [f"session:{submission.session.run.id}"]


def _of_run(tx: ReadTransaction, run: Run) -> Submission:
    submission = None if run.submission_id is None else submissions.of_id(tx, run.submission_id)
    if submission is None:
        raise LookupError(f"run {run.id} has no submission")
    return submission


def _dataset_of(tx: ReadTransaction, session: Session) -> Dataset:
    if session.dataset == NO_DATASET:
        raise Conflict(
            f"{specs.name_of(session)} was run without a dataset, so there is nothing to score it on.",
            hint="Run it with one: `nsmlctl run -d DATASET`.",
            code="no_dataset",
        )
    dataset = datasets.find(tx, session.dataset)
    if not dataset.leaderboard:
        raise Conflict(
            f"The dataset {dataset.name} has no leaderboard, so nothing can be submitted to it.",
            hint="Its owner can add one: `nsmlctl dataset push -f -l …`.",
            code="no_leaderboard",
        )
    return dataset


def _row(
    platform: Platform, session: Session, dataset: Dataset, version: DatasetVersion, chosen: Checkpoint
) -> Submission:
    return Submission(
        session_id=session.id,
        user_id=session.user_id,
        dataset_id=dataset.id,
        dataset_version_id=version.id,
        checkpoint=chosen.name,
        checkpoint_manifest=chosen.manifest,
        state=SubmissionState.QUEUED,
        created_at=platform.now(),
    )


def _run(platform: Platform, submission: Submission, kind: RunKind, like: Run, *, cpus: int, gpus: int) -> Run:
    """A run of a submit, on the dataset's version of the submit and with the memory of the training."""
    return Run(
        kind=kind,
        user_id=submission.user_id,
        session_id=submission.session_id,
        submission_id=submission.id,
        version_id=submission.dataset_version_id,
        state=RunState.QUEUED,
        cpus=cpus,
        gpus=gpus,
        memory=like.memory,
        shm=like.shm,
        gpu_model=like.gpu_model if gpus else None,
        gpu_driver=like.gpu_driver if gpus else None,
        # An evaluation is the organiser's and needs nothing of what the participant's program does.
        runtime=like.runtime if kind is RunKind.PREDICT else None,
        runner=like.runner if kind is RunKind.PREDICT else None,
        environment=like.environment if kind is RunKind.PREDICT else None,
        image=like.image,
        queued_at=platform.now(),
    )
