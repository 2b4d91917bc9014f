"""What a dataset's own programs failed at: told to its owner in full, since the hidden test is theirs, and to nobody else."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nsml_server.domain.reasons import Reason, limit_of, outcome, signal_name
from nsml_server.services import datasets, scores, specs
from nsml_server.services.accounts import Caller
from nsml_server.services.attempts import LOG
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction
from nsml_server.storage.repositories import rescorings
from nsml_server.storage.tables import Attempt, DatasetVersion, Run, Submission
from nsml_worker.contract import Ended, EndReason, RunKind

REASONS = (Reason.EVALUATION_FAILED.value, Reason.LOADER_FAILED.value)
TAIL = 8 * 1024  # bytes of an evaluation's log
MAX_TEXT = 2000  # characters of an error's message
MAX_FRAMES = 20
NOTHING = "The evaluation did not give a score."


@dataclass(frozen=True)
class Problem:
    """One failure. `said` is what went wrong, in one sentence; `log` the end of what the evaluation wrote."""

    run: Run
    submission: Submission
    version: DatasetVersion
    said: str
    log: str


def of_dataset(platform: Platform, tx: ReadTransaction, caller: Caller, name: str, last: int) -> Sequence[Problem]:
    """Failures that still stand, the latest first; what was scored again since is none. Raises Forbidden."""
    dataset = datasets.find(tx, name)
    datasets.require_owner(caller, dataset)
    found = rescorings.failures(tx, dataset.id, REASONS, last)
    return [_describe(platform, run, submission, version, attempt) for run, submission, version, attempt in found]


def _describe(
    platform: Platform, run: Run, submission: Submission, version: DatasetVersion, attempt: Attempt
) -> Problem:
    ended = Ended.from_dict(attempt.facts) if attempt.facts else None
    # A prediction's log is its participant's: of a loader's failure only the error itself is told.
    if run.kind is not RunKind.SCORE:
        return Problem(run, submission, version, _error_of(ended), "")
    return Problem(run, submission, version, _evaluation_of(platform, run, ended), _end_of_log(platform, attempt))


def _evaluation_of(platform: Platform, run: Run, ended: Ended | None) -> str:
    if ended is None:
        return NOTHING
    if ended.reason is not EndReason.EXITED:
        reason = Reason(ended.reason)
        facts = {"limit": limit_of(reason, specs.limits_of(platform, run)), "exit_code": ended.exit_code}
        facts |= {"signal": signal_name(ended.signal), "detail": ended.detail, "output": specs.SCORE}
        return dataclasses.replace(outcome(reason), hint="").describe(facts)
    told = scores.read(platform, next((out for out in ended.outputs if out.name == specs.SCORE), None))
    message = told.get("message") if isinstance(told, dict) else None
    return str(message)[:MAX_TEXT] if message else NOTHING


def _error_of(ended: Ended | None) -> str:
    error: dict[str, Any] = (ended.error if ended else None) or {}
    frames = error.get("frames")
    where = [frame for frame in frames if isinstance(frame, list)] if isinstance(frames, list) else []
    trace = "".join(f"\n  {':'.join(str(part)[:200] for part in frame[:3])}" for frame in where[-MAX_FRAMES:])
    return f"{str(error.get('type', 'It failed'))[:200]}: {str(error.get('message', ''))[:MAX_TEXT]}{trace}"


def _end_of_log(platform: Platform, attempt: Attempt) -> str:
    size = platform.streams.size(attempt.run_id, LOG)
    begin = max(attempt.log_base, size - TAIL)
    return platform.streams.read(attempt.run_id, LOG, begin, TAIL).decode("utf-8", "replace")
