"""How an attempt's end is taken: placed again when the fault is ours, else a final state and a sentence.

What ran beside a hidden test is told by domain.disclosure alone: neither a worker's words nor a box's reach its owner.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import structlog

from nsml_server.domain import logtail
from nsml_server.domain.disclosure import Failure, describe_failure
from nsml_server.domain.reasons import Reason, outcome
from nsml_server.domain.states import RunState
from nsml_server.services import files, restarts, runs, scores, sessions, sources, specs, submissions
from nsml_server.services.attempts import LOG
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.repositories import manifests
from nsml_server.storage.repositories import runs as run_rows
from nsml_server.storage.repositories import submissions as submission_rows
from nsml_server.storage.tables import Run
from nsml_worker.contract import Collected, Ended, EndReason, RunKind

# What score.json may call an error, and whose it is. Anything else is the organiser's.
_PREDICTION_FAULTS = {
    "wrong_length": Reason.WRONG_LENGTH,
    "not_a_number": Reason.NOT_A_NUMBER,
    "invalid_prediction": Reason.INVALID_PREDICTION,
}
# What is said where a line number is not known.
_GENERAL = {
    Reason.NOT_A_NUMBER: "one of its lines",
    Reason.INVALID_PREDICTION: "each line must hold one answer, a finite number where the metric computes with it",
    Reason.EVALUATION_FAILED: "it did not give a score",
}

log = structlog.get_logger()


def conclude(platform: Platform, tx: WriteTransaction, run: Run, reason: Reason, ended: Ended) -> None:
    """An attempt of a run that is held is over for this reason: it is queued again, or it ends and what hangs on it goes on."""
    run_rows.close_attempt(tx, run, {"facts": ended.to_dict(), "detail": ended.detail or None})
    meaning = outcome(reason)
    if run.state is RunState.STOPPING:
        _end_stopped(platform, tx, run, reason, ended)
    elif meaning.retry and run.faults + 1 < platform.settings.attempts:
        log.warning("run_placed_again", run=run.id, attempt=run.attempt, reason=reason.value, detail=ended.detail[:500])
        runs.queue_again(platform, tx, run, blame=True)
    elif meaning.retry:
        _fail(platform, tx, run, _exhausted(platform, meaning.describe({"detail": _quiet(run, ended.detail)})))
    elif reason is Reason.PREPARE_LIMIT:
        _fail(platform, tx, run, _unprepared(platform, _quiet(run, ended.detail)))
    else:
        {RunKind.PREDICT: _end_predict, RunKind.SCORE: _end_score}.get(run.kind, _end_train)(
            platform, tx, run, reason, ended
        )
    _tell_notices(platform, run)


def _end_stopped(platform: Platform, tx: WriteTransaction, run: Run, reason: Reason, ended: Ended) -> None:
    # A program that ended by itself before the stop reached it has done its work.
    if reason is Reason.EXITED and run.submission_id is None:
        runs.end(platform, tx, run, RunState.EXITED, reason, None, ended.exit_code)
    else:
        why = Reason(run.stop_reason or Reason.STOPPED)
        facts = {"session": specs.name_of(sessions.of_id(tx, run.session_id))}
        message = None if why is Reason.STOPPED else outcome(why).describe(facts)
        runs.end(platform, tx, run, RunState.STOPPED, why, message, ended.exit_code)


def _tell_notices(platform: Platform, run: Run) -> None:
    """At the end of the log, where the worker adds nothing more: its offsets would no longer be right in the middle."""
    if run.notices and run.state.is_final:
        text = "".join(f"\n{notice}" for notice in run.notices) + "\n"
        platform.streams.append(run.id, LOG, platform.streams.size(run.id, LOG), text.encode())


def _end_train(platform: Platform, tx: WriteTransaction, run: Run, reason: Reason, ended: Ended) -> None:
    state = outcome(reason).state
    if state is not RunState.FAILED:
        runs.end(platform, tx, run, state, reason, None, ended.exit_code)
        return
    session = sessions.of_id(tx, run.session_id)
    facts = {"session": specs.name_of(session), "entry": session.entry, "image": run.image}
    tail, limits = _end_of_log(platform, run.id), specs.limits_of(platform, run)
    refusal = _refusal(tx, run, tail)
    if refusal is not None and run.kind is RunKind.TRAIN:
        restarts.begin_anew(platform, tx, run)
        return
    ended = dataclasses.replace(ended, error=ended.error or logtail.error_at_end(tail, platform.clock.now()))
    failure = describe_failure(
        ended,
        code=sources.reader(platform, manifests.load(tx, session.code)),
        limits=limits,
        facts=facts,
        refusal=refusal,
    )
    runs.end(platform, tx, run, state, failure.reason, failure.message, ended.exit_code)


def _end_of_log(platform: Platform, run_id: int) -> bytes:
    """A program that fell before it imported the SDK left no line in the journal: its log has the traceback."""
    begin = max(0, platform.streams.size(run_id, LOG) - logtail.TAIL)
    return platform.streams.read(run_id, LOG, begin, logtail.TAIL)


def _refusal(tx: ReadTransaction, run: Run, tail: bytes) -> logtail.Refusal | None:
    """Only of a run to whose arguments the platform has added some."""
    attempt = run_rows.attempt_of(tx, run)
    goes_on = attempt is not None and attempt.manifest is not None
    return logtail.refusal_at_end(tail) if goes_on or run.kind is not RunKind.TRAIN else None


def _end_predict(platform: Platform, tx: WriteTransaction, run: Run, reason: Reason, ended: Ended) -> None:
    prediction = _output(tx, run, ended, specs.PREDICTION)
    if reason is Reason.EXITED and prediction is not None:
        runs.end(platform, tx, run, RunState.EXITED, reason, None, ended.exit_code)
        submissions.begin_scoring(platform, tx, run, prediction)
        return
    if reason is Reason.EXITED:
        ended = dataclasses.replace(ended, reason=EndReason.OUTPUT_MISSING)
    _fail(platform, tx, run, _describe_predict(platform, tx, run, ended), ended.exit_code)


def _describe_predict(platform: Platform, tx: ReadTransaction, run: Run, ended: Ended) -> Failure:
    submission = submission_rows.of_id(tx, run.submission_id or 0)
    if submission is None:
        raise LookupError(f"run {run.id} has no submission")
    session, checkpoint = submission.session, manifests.load(tx, submission.checkpoint_manifest)
    tree, shown = manifests.load(tx, session.code), submission.is_rehearsal
    entry = submission.entry or session.entry
    facts = {"session": specs.name_of(session), "entry": entry, "image": run.image}
    # Beside the hidden test a worker's own words may quote a path or a line from the box: they stay with the attempt.
    return describe_failure(
        ended if shown else dataclasses.replace(ended, detail=""),
        code=sources.reader(platform, tree),
        phase_seen=run.phase,
        checkpoint=submission.checkpoint,
        checkpoint_files=[file.path for file in checkpoint.files],
        hidden=not shown,
        limits=specs.limits_of(platform, run),
        facts=facts,
        refusal=_refusal(tx, run, _end_of_log(platform, run.id)) if shown else None,
        seen=None if ended.error else sources.look(platform, tree, entry),
    )


def _end_score(platform: Platform, tx: WriteTransaction, run: Run, reason: Reason, ended: Ended) -> None:
    result = scores.read(platform, _output(tx, run, ended, specs.SCORE)) if reason is Reason.EXITED else None
    if isinstance(result, float):
        runs.end(platform, tx, run, RunState.EXITED, reason, None, ended.exit_code)
        submissions.land_score(platform, tx, run, result)
        return
    failure = _judge(result or {}, shown=_is_shown(tx, run))
    if failure.reason is Reason.EVALUATION_FAILED:
        log.error("evaluation_failed", run=run.id, reason=reason.value, detail=ended.detail[:500], said=result)
    _fail(platform, tx, run, failure, ended.exit_code)


def _is_shown(tx: ReadTransaction, run: Run) -> bool:
    submission = submission_rows.of_id(tx, run.submission_id or 0)
    return submission is not None and submission.is_rehearsal


def _judge(error: dict[str, Any], *, shown: bool) -> Failure:
    """Beside the hidden test only counts are repeated: a scorer's words may quote a label, and a prediction a hidden row."""
    code = error.get("code")
    reason = _PREDICTION_FAULTS.get(code, Reason.EVALUATION_FAILED) if isinstance(code, str) else None
    reason = reason or Reason.EVALUATION_FAILED
    counts = {name: error[name] for name in ("expected", "got") if type(error.get(name)) is int}
    line = error.get("line")
    detail = f"line {line}" if type(line) is int else _GENERAL.get(reason, "")
    if shown and error.get("message"):
        detail = error["message"].rstrip(".")
    return Failure(reason, "score", outcome(reason).describe({**counts, "detail": detail}))


def _fail(platform: Platform, tx: WriteTransaction, run: Run, failure: Failure, exit_code: int | None = None) -> None:
    runs.end(platform, tx, run, RunState.FAILED, failure.reason, failure.message, exit_code)
    if run.submission_id is not None:
        submissions.fail(platform, tx, run, failure.reason, failure.phase, failure.message)


def _exhausted(platform: Platform, last: str) -> Failure:
    facts = {"attempts": platform.settings.attempts, "detail": last.split(". ")[0].rstrip(".")}
    return Failure(Reason.RETRIES_EXHAUSTED, None, outcome(Reason.RETRIES_EXHAUSTED).describe(facts))


def _unprepared(platform: Platform, last: str) -> Failure:
    facts = {"limit": f"{platform.settings.prepare_limit:g} seconds", "detail": last}
    return Failure(Reason.PREPARE_LIMIT, None, outcome(Reason.PREPARE_LIMIT).describe(facts))


def _quiet(run: Run, detail: str) -> str:
    """A worker's words about its own failure; not where a box held the hidden test."""
    return "" if run.submission_id is not None else detail.rstrip(".")[:300]


def _output(tx: ReadTransaction, run: Run, ended: Ended, name: str) -> Collected | None:
    """A result the worker has really stored for this run."""
    for output in ended.outputs:
        if output.name == name and manifests.held(tx, files.holder_of_run(run), [output.hash]):
            return output
    return None
