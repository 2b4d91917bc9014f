"""What people are shown of the rows: where a row becomes JSON, for the API, the pages and live updates alike.

Machines and what the owner of a dataset sees have modules of their own beside this one (machine_views, scoring_views).

What is not named here is shown to nobody. Times are ISO 8601, UTC.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nsml_server.domain.credits import GPU_SECONDS
from nsml_server.domain.states import RunState
from nsml_server.services import leaderboard, nodes, specs, submissions, uses
from nsml_server.services.accounts import Caller
from nsml_server.services.credits import Statement
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction
from nsml_server.storage.repositories import datasets as dataset_rows
from nsml_server.storage.repositories import origins as origin_rows
from nsml_server.storage.repositories import sessions as session_rows
from nsml_server.storage.repositories import submissions as submission_rows
from nsml_server.storage.repositories import uses as use_rows
from nsml_server.storage.repositories.origins import Named
from nsml_server.storage.repositories.sessions import Saved
from nsml_server.storage.tables import Checkpoint, Dataset, DatasetVersion, Run, RunUse, Session, Submission
from nsml_worker.contract import RunKind, Tree

View = dict[str, Any]

# NSML's words for the states a person sees.
STATUS = {RunState.QUEUED: "Queued", RunState.PLACED: "Queued"}
ZOMBIE = "Zombie"  # it runs, and a GPU it was given has done nothing for an hour
# NSML's words for what a session is.
TYPE = {RunKind.FORK: "normal/fork", RunKind.SERVE: "infer"}


def time(seconds: float | None) -> str | None:
    """ISO 8601 with Z, to the millisecond."""
    if seconds is None:
        return None
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def status(state: RunState) -> str:
    """The word for a state."""
    return STATUS.get(state, state.value.capitalize())


def caller(who: Caller) -> View:
    """A person, to themselves."""
    return {"user": who.name, "admin": who.admin}


def sessions(platform: Platform, tx: ReadTransaction, rows: Sequence[Session]) -> list[View]:
    """Several sessions, at the cost of a few queries however many they are."""
    ids = [row.id for row in rows]
    saved, begun, scores = session_rows.saved_by(tx, ids), origin_rows.named(tx, ids), leaderboard.best_of(tx, ids)
    used = use_rows.of_runs(tx, [row.run.id for row in rows if not row.run.state.is_final])
    going = submission_rows.under_way(tx, ids)
    return [
        {
            **_session(platform, row, saved.get(row.id, Saved()), begun.get(row.id), used.get(row.run.id)),
            "score": scores.get(row.id),
            "open_submissions": [_going(submission) for submission in going.get(row.id, ())],
        }
        for row in rows
    ]


def session(platform: Platform, tx: ReadTransaction, row: Session) -> View:
    """One session."""
    return sessions(platform, tx, [row])[0]


def checkpoints(rows: Iterable[tuple[Checkpoint, Tree]]) -> list[View]:
    """What a session has saved."""
    return [
        {
            "name": row.name,
            "saved_at": time(row.saved_at),
            "elapsed": row.elapsed,
            "summary": row.summary,
            "size": row.size,
            "files": [[entry.path, entry.size] for entry in tree.files],
        }
        for row, tree in rows
    ]


def submission_list(platform: Platform, tx: ReadTransaction, rows: Sequence[Submission]) -> list[View]:
    """Several submits to whoever made them, at the cost of a few queries however many they are."""
    waiting, standings = submissions.current_runs(tx, rows), leaderboard.standings(tx, rows)
    return [_submission(platform, row, waiting.get(row.id), *standings.get(row.id, (None, False))) for row in rows]


def submission(platform: Platform, tx: ReadTransaction, row: Submission) -> View:
    """One submit."""
    return submission_list(platform, tx, [row])[0]


def _submission(platform: Platform, row: Submission, run: Run | None, rank: int | None, best: bool) -> View:
    return {
        "id": row.id,
        "version": row.version,
        "session": str(specs.name_of(row.session)),
        "user": row.session.user.name,
        "dataset": row.dataset.name,
        "checkpoint": row.checkpoint,
        "rehearsal": row.is_rehearsal,
        "entry": row.entry,
        "batch": row.batch,
        "state": row.state.value,
        "final": row.state.is_final,
        "phase": row.phase or (run.phase if run else None),
        "score": row.score,
        "rank": rank,
        "best": best,
        "reason": row.reason,
        "message": row.message,
        "waiting": _waiting(platform, run) if run else None,
        "created_at": time(row.created_at),
        "ended_at": time(row.ended_at),
        "url": f"{platform.settings.public_url}/submission/{row.id}",
    }


def dataset(platform: Platform, tx: ReadTransaction, row: Dataset) -> View:
    """A dataset as anybody sees it: never its files."""
    return _dataset(platform, row, dataset_rows.latest_version(tx, row.id))


def board(row: Dataset, rows: Sequence[leaderboard.Row]) -> View:
    """A board: who, how good, when, and with what of theirs."""
    return {
        "dataset": row.name,
        "leaderboard": row.leaderboard,
        "metric": row.metric,
        "order": row.order.value,
        "entries": [_entry(place) for place in rows],
    }


def platform(platform: Platform, tx: ReadTransaction, version: str) -> View:
    """What anybody may know of the platform."""
    settings, known = platform.settings, nodes.all_nodes(tx)
    confinement = nodes.confinement(tx)
    return {
        "version": version,
        "mode": settings.mode,
        "trusted_only": confinement == "none",
        "confinement": confinement,
        "gpus": sum(len(nodes.capacity_of(node).gpus) for node in known),
        "nodes": len(known),
        "defaults": {"gpus": nodes.default_gpus(tx), "cpus": nodes.DEFAULT_CPUS},
        "limits": {
            "upload_bytes": settings.upload_bytes,
            "upload_files": settings.upload_files,
            "file_bytes": settings.file_bytes,
            "dataset_bytes": settings.dataset_bytes,
            "dataset_files": settings.dataset_files,
            "dataset_file_bytes": settings.dataset_file_bytes,
        },
    }


def credit(name: str, of: Statement) -> View:
    """How somebody stands: credits, and the last of what was granted and spent."""
    return {
        "user": name,
        "credit": of.credits,
        "gpus": of.gpus,
        "entries": [
            {
                "at": time(entry.at),
                "kind": entry.kind,
                "credit": entry.amount / GPU_SECONDS,
                "gpu_seconds": entry.amount,
                "note": entry.note,
            }
            for entry in of.entries
        ],
        "schedules": [
            {
                "id": row.id,
                "everyone": row.user_id is None,
                "credit": row.amount // GPU_SECONDS,
                "every": row.every,
                "ceiling": None if row.ceiling is None else row.ceiling // GPU_SECONDS,
                "next_at": time(row.next_at),
            }
            for row in of.schedules
        ],
    }


def tree(of: Tree) -> View:
    """A folder by value."""
    return of.to_dict()


def _session(platform: Platform, row: Session, saved: Saved, origin: Named | None, use: RunUse | None) -> View:
    run, name = row.run, str(specs.name_of(row))
    zombie = uses.is_zombie(platform, run, use)
    return {
        "name": name,
        "user": row.user.name,
        "dataset": row.dataset,
        "number": row.number,
        "type": TYPE.get(run.kind, "normal"),
        "origin": f"{origin.user}/{origin.dataset}/{origin.number}" if origin else None,
        "origin_checkpoint": origin.checkpoint if origin else None,
        "state": run.state.value,
        "status": ZOMBIE if zombie else status(run.state),
        "final": run.state.is_final,
        "reason": run.reason,
        "message": run.message or _told_now(run, zombie),
        "notices": run.notices,
        "use": use.sample if use and use.attempt == run.attempt else None,
        "waiting": _waiting(platform, run),
        "entry": row.entry,
        "args": row.args,
        "memo": row.memo,
        "gpus": run.gpus,
        "cpus": run.cpus,
        "image": row.image,
        "created_at": time(row.created_at),
        "started_at": time(run.started_at),
        "ended_at": time(run.ended_at),
        "exit_code": run.exit_code,
        "summary": run.summary,
        "checkpoints": saved.count,
        "size": saved.size,
        "url": f"{platform.settings.public_url}/session/{name}",
    }


def _going(submission: Submission) -> View:
    return {
        "id": submission.id,
        "kind": "rehearse" if submission.is_rehearsal else "submit",
        "checkpoint": submission.checkpoint,
        "state": submission.state.value,
    }


def _told_now(run: Run, zombie: bool) -> str | None:
    if zombie:
        return "A GPU of this session does nothing for a long time already, and still counts: stop it if it hangs."
    return run.preparing if run.state is RunState.PREPARING else None


def _waiting(platform: Platform, run: Run) -> View | None:
    if run.state not in (RunState.QUEUED, RunState.PLACED):
        return None
    wait = platform.waits.of(run.id) if run.state is RunState.QUEUED else None
    here = f"waits for {run.node.name} to take it" if run.node else "waits for a place"
    return {
        "text": wait.text if wait else here,
        "position": wait.position if wait else None,
        "seconds": round(max(0.0, platform.now() - run.queued_at), 3),
    }


def _dataset(platform: Platform, row: Dataset, version: DatasetVersion | None) -> View:
    return {
        "name": row.name,
        "owner": row.owner.name,
        "description": row.description,
        "leaderboard": row.leaderboard,
        "metric": row.metric,
        "order": row.order.value,
        "pull_models": row.pull_models,
        "network": row.network,
        "max_model_bytes": row.max_model_bytes,
        "size": version.size if version else 0,
        "version": version.number if version else 0,
        "created_at": time(row.created_at),
        "updated_at": time(row.updated_at),
        "url": f"{platform.settings.public_url}/{f'leaderboard/{row.name}' if row.leaderboard else ''}",
    }


def _entry(place: leaderboard.Row) -> View:
    row = place.submission
    return {
        "rank": place.rank,
        "owner": row.session.user.name,
        "score": row.score,
        "submitted_at": time(row.created_at),
        "session": str(specs.name_of(row.session)),
        "checkpoint": row.checkpoint,
        "args": row.session.args,
        "count": place.count,
    }


def series(curves: Mapping[str, Any]) -> View:
    """Metrics of a session."""
    return {"series": dict(curves)}
