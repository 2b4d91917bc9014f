"""Submits: a prediction, then a scoring, each its own run. Every step is one transaction with what it leads to.

A rehearsal is a submit on the dataset's public sample: it goes the same way, counts nowhere, and hides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from nsml_server.domain import states
from nsml_server.domain.names import NO_DATASET
from nsml_server.domain.reasons import Reason
from nsml_server.domain.samples import has_answers
from nsml_server.domain.states import RunState, SubmissionState, advance
from nsml_server.errors import Conflict, NotFound, RateLimited
from nsml_server.services import (
    checkpoints,
    credits,
    datasets,
    leaderboard,
    nodes,
    requests,
    runs,
    samples,
    sessions,
    specs,
)
from nsml_server.services.accounts import Caller
from nsml_server.services.admission import require_possible
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction, WriteTransaction, wait_for_turn
from nsml_server.storage.repositories import manifests, rescorings, submissions
from nsml_server.storage.repositories import runs as run_rows
from nsml_server.storage.tables import Checkpoint, Dataset, DatasetVersion, Run, Session, Submission
from nsml_worker.contract import Collected, RunKind

MAX_LIST = 10_000  # submits in one answer
NO_ANSWERS = "The prediction is whole; the dataset's sample has no labels, so there is no score."


@dataclass(frozen=True)
class Wish:
    """How a submit is to be. None: the best or the newest checkpoint, the session's own entry, the SDK's own chunks.

    `batch` is the rows each call of infer is given.
    """

    checkpoint: str | None = None
    entry: str | None = None
    batch: int | None = None


def submit(
    platform: Platform,
    tx: WriteTransaction,
    caller: Caller,
    session: Session,
    wish: Wish,
    key: str | None,
    *,
    rehearse: bool = False,
) -> Submission:
    """Accept a submit, or its rehearsal: its row and its prediction, in this transaction.

    Raises:
        Conflict: the session has no dataset with a leaderboard, or nothing saved; there is no sample to rehearse on.
        NotFound: there is no such checkpoint; lists those there are.
        Invalid: an entry that is not part of the code.
        NeverFits: the machine it would need is not here any more.
        Forbidden: it would need GPUs, and there is no credit left.
        RateLimited: too many of theirs are under way.
    """
    what = requests.REHEARSAL if rehearse else requests.SUBMISSION
    known = requests.recall(tx, caller.id, key, what)
    if known is not None:
        return find(tx, caller, known)
    dataset = _dataset_of(tx, session)
    chosen = checkpoints.choose(tx, session, wish.checkpoint, dataset.metric, dataset.order)
    if wish.entry is not None:
        sessions.check_entry(manifests.load(tx, session.code), wish.entry)
    version = datasets.latest(tx, dataset)
    submission = _row(platform, session, version, chosen, wish)
    submission.sample = samples.of_version(platform, tx, dataset, version) if rehearse else None
    _begin(platform, tx, submission, session.run)
    requests.remember(tx, caller.id, key, what, submission.id, platform.now())
    return find(tx, caller, submission.id)


def log_of(tx: ReadTransaction, caller: Caller, submission_id: int) -> int:
    """The run that wrote a rehearsal's log. Raises NotFound, also for a submit: beside the hidden test logs are not shown."""
    submission = find(tx, caller, submission_id)
    run = run_rows.of_submission(tx, submission.id).get(RunKind.PREDICT)
    if not submission.is_rehearsal or run is None:
        raise NotFound(
            f"Submission {submission_id} ran beside the hidden test, so its log is shown to nobody.",
            hint=f"A rehearsal shows everything: `nsmlctl submit -t {specs.name_of(submission.session)}`.",
            code="no_log",
        )
    return run.id


def find(tx: ReadTransaction, caller: Caller, submission_id: int) -> Submission:
    """One's own submit. Raises NotFound, also for somebody else's."""
    submission = submissions.of_id(tx, submission_id)
    if submission is None or submission.user_id != caller.id:
        raise NotFound(f"There is no submission {submission_id} of yours.", hint="`nsmlctl ps` shows those under way.")
    return submission


def listed(tx: ReadTransaction, caller: Caller, dataset: str | None, last: int | None) -> Sequence[Submission]:
    """One's own submits, newest first."""
    count = MAX_LIST if last is None else max(0, min(last, MAX_LIST))
    return submissions.of_user(tx, caller.id, dataset, count)


def of_session(tx: ReadTransaction, session: Session) -> Sequence[Submission]:
    """A session's submits, newest first."""
    return submissions.of_session(tx, session.id)


def cancel(platform: Platform, tx: WriteTransaction, submission: Submission) -> Submission:
    """End a submit at once, also with no worker alive; harmless when it has ended.

    Raises:
        Conflict: its score is being measured again, which is the organiser's to end.
    """
    run_rows.lock_of_submission(tx, submission.id)
    tx.refresh(submission, ["state"])
    if rescorings.is_under_way(tx, submission.id):
        raise Conflict(
            f"Submission {submission.id} is being scored again by the owner of {submission.dataset.name}.",
            hint="It ends by itself; a score that stands stays until the new one is there.",
        )
    if not submission.state.is_final:
        _move(platform, tx, submission, SubmissionState.CANCELLED, **_end(platform, Reason.CANCELLED, None, None))
        for run in run_rows.of_submission(tx, submission.id).values():
            runs.ask_to_stop(platform, tx, run)
        tx.refresh(submission, ["version"])
    return submission


def cancel_all(platform: Platform, tx: WriteTransaction, session: Session) -> None:
    """End those of a session that go on. Raises as `cancel`."""
    for submission in of_session(tx, session):
        if not submission.state.is_final:
            cancel(platform, tx, submission)


def move_of_run(platform: Platform, tx: WriteTransaction, run: Run, target: SubmissionState) -> None:
    """A run of a submit has come so far; one that is there already, or has ended, stays as it is."""
    submission = _of_run(tx, run)
    if submission.state is not target and not submission.state.is_final:
        _move(platform, tx, submission, target)


def begin_scoring(platform: Platform, tx: WriteTransaction, run: Run, prediction: Collected) -> None:
    """The prediction is there: the scoring is queued in the same transaction. A sample without labels ends it here."""
    submission = _of_run(tx, run)
    if submission.state.is_final:
        return
    if submission.sample is not None and not has_answers(manifests.load(tx, submission.sample)):
        end = {"message": NO_ANSWERS, "ended_at": platform.now()}
        _move(platform, tx, submission, SubmissionState.SCORED, phase=None, **end)
        return
    stored = {"prediction_hash": prediction.hash, "prediction_size": prediction.size}
    _move(platform, tx, submission, SubmissionState.SCORING, phase=None, **stored)
    tx.add(_run(platform, submission, RunKind.SCORE, run, cpus=nodes.DEFAULT_CPUS, gpus=0))
    tx.flush()
    platform.hurry(tx)


def land_score(platform: Platform, tx: WriteTransaction, run: Run, score: float) -> None:
    """Score, board and final state, in one transaction and once; a rehearsal's score is on no board."""
    submission = _of_run(tx, run)
    leaderboard.take_turn(tx, submission.dataset.name)
    tx.refresh(submission.dataset, ["metric", "order"])
    if submission.state.is_final:
        return
    was_scored = submission.score is not None
    ended = {"score": score, "message": samples.caveat(tx, submission), "ended_at": platform.now()}
    _move(platform, tx, submission, SubmissionState.SCORED, dataset_version_id=run.version_id, **ended)
    rescorings.end(tx, submission.id, ended)
    if was_scored:
        leaderboard.recount(tx, submission.dataset, submission.user_id)
    elif submissions.counting(tx, [submission.id]):
        leaderboard.record(tx, submission.dataset, submission)
    else:
        return
    platform.tell(tx, f"board:{submission.dataset.name}", *_topics_of_session(submission))


def fail(platform: Platform, tx: WriteTransaction, run: Run, reason: Reason, phase: str | None, message: str) -> None:
    """The submit ends without a score, and says why; a score that was to be measured again stays as it was."""
    submission = _of_run(tx, run)
    if submission.state.is_final:
        return
    end = _end(platform, reason, phase, message)
    if submission.score is None:
        _move(platform, tx, submission, SubmissionState.FAILED, **end)
    else:
        _move(platform, tx, submission, SubmissionState.SCORED, phase=None, ended_at=end["ended_at"])
    rescorings.end(tx, submission.id, {name: end[name] for name in ("reason", "message", "ended_at")})


def take_up(platform: Platform, tx: WriteTransaction, submission: Submission) -> None:
    """A submit that has ended is to be scored again; a score it has stays on the board meanwhile."""
    emptied = dict.fromkeys(("phase", "reason", "message", "ended_at"))
    submissions.change(tx, submission, {"state": states.take_up(submission.state), **emptied})
    platform.tell(tx, f"submission:{submission.id}", *_topics_of_session(submission))


def current_runs(tx: ReadTransaction, rows: Iterable[Submission]) -> dict[int, Run]:
    """The runs on which those of these submits wait now that have not ended."""
    found = run_rows.of_submissions(tx, [row.id for row in rows if not row.state.is_final])
    return {submission_id: runs.get(RunKind.SCORE) or runs[RunKind.PREDICT] for submission_id, runs in found.items()}


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
            hint=f"Its owner can add one: `nsmlctl dataset change {dataset.name} --leaderboard`.",
            code="no_leaderboard",
        )
    return dataset


def _begin(platform: Platform, tx: WriteTransaction, submission: Submission, trained: Run) -> None:
    credits.require(platform, tx, submission.user_id, trained.gpus)
    _require_turn(platform, tx, submission.user_id)
    tx.add(submission)
    tx.flush()
    run = _run(platform, submission, RunKind.PREDICT, trained, cpus=trained.cpus, gpus=trained.gpus)
    tx.add(run)
    tx.flush()
    require_possible(platform, tx, run)
    platform.tell(tx, f"session:{trained.id}", f"submission:{submission.id}")
    platform.hurry(tx)


def _require_turn(platform: Platform, tx: WriteTransaction, user_id: int) -> None:
    wait_for_turn(tx, f"submits {user_id}")
    most = platform.settings.open_submissions
    if submissions.count_under_way(tx, user_id) >= most:
        raise RateLimited(
            f"{most} submits of yours are under way, which is as many as one person may have.",
            hint="Wait until one has ended, or end one: `nsmlctl ps` shows them, `nsmlctl submit --cancel SESSION` ends them.",
        )


def _row(platform: Platform, session: Session, version: DatasetVersion, chosen: Checkpoint, wish: Wish) -> Submission:
    return Submission(
        session_id=session.id,
        user_id=session.user_id,
        dataset_id=version.dataset_id,
        dataset_version_id=version.id,
        checkpoint=chosen.name,
        checkpoint_manifest=chosen.manifest,
        entry=wish.entry,
        batch=wish.batch,
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
