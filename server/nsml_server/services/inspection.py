"""A session as `docker inspect` would tell it, and as the command that would start it again."""

from __future__ import annotations

import shlex
from typing import Any

from nsml_server.domain.reasons import Reason
from nsml_server.domain.states import RunState
from nsml_server.services import views
from nsml_server.storage.database import ReadTransaction
from nsml_server.storage.repositories import origins
from nsml_server.storage.repositories import runs as run_rows
from nsml_server.storage.tables import Run, Session
from nsml_worker.contract import RunKind

NEVER = "0001-01-01T00:00:00Z"  # docker's word for a moment that has not come
KILLED = 137  # docker's exit code of what was killed
SIGNALLED = 128  # plus the signal's number
_STATUS = {RunState.RUNNING: "running", RunState.PAUSED: "paused", RunState.STOPPING: "running"}
_VERBS = {RunKind.FORK: "fork", RunKind.SERVE: "infer"}


def inspect(tx: ReadTransaction, session: Session) -> dict[str, Any]:
    """Docker's table of states. `Pid` is 0: the process is on another machine, and nobody's to touch."""
    run = session.run
    status = "exited" if run.state.is_final else _STATUS.get(run.state, "created")
    return {
        "Status": status,
        "Running": status in ("running", "paused"),
        "Paused": status == "paused",
        "Restarting": run.attempt > 0 and run.state is RunState.QUEUED,
        "OOMKilled": run.reason == Reason.OUT_OF_MEMORY,
        "Dead": False,
        "Pid": 0,
        "ExitCode": _exit_code(tx, run),
        "Error": run.message or "",
        "StartedAt": views.time(run.started_at) or NEVER,
        "FinishedAt": views.time(run.ended_at) or NEVER,
    }


def command(tx: ReadTransaction, session: Session) -> str:
    """What to type to start the same again, in the folder of the code or from its origin."""
    run = session.run
    begun = origins.named(tx, [session.id]).get(session.id)
    words = ["nsmlctl", _VERBS.get(run.kind, "run")]
    if run.kind is not RunKind.FORK and session.version_id is not None:
        words += ["-d", session.dataset]
    if run.kind is not RunKind.SERVE and session.args:
        words += ["-a", session.args]
    words += ["-e", session.entry, "-g", str(run.gpus), "-c", str(run.cpus)] if run.kind is RunKind.TRAIN else []
    for flag, value in (("--memory", run.memory), ("--shm-size", run.shm)):
        words += [flag, str(value)] if value is not None and run.kind is RunKind.TRAIN else []
    if begun is not None and run.kind is not RunKind.TRAIN:
        words += _place(run.kind, f"{begun.user}/{begun.dataset}/{begun.number}", begun.checkpoint or "")
    return shlex.join(words)


def _place(kind: RunKind, origin: str, checkpoint: str) -> list[str]:
    """`fork -c CHECKPOINT SESSION`, and `infer SESSION CHECKPOINT`."""
    return ["-c", checkpoint, origin] if kind is RunKind.FORK else [origin, checkpoint]


def _exit_code(tx: ReadTransaction, run: Run) -> int:
    if run.exit_code is not None or not run.state.is_final:
        return run.exit_code or 0
    attempt = run_rows.attempt_of(tx, run)
    number = ((attempt.facts if attempt else None) or {}).get("signal")
    return SIGNALLED + number if isinstance(number, int) else KILLED
