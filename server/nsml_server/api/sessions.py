"""Sessions: opened, listed, watched, stopped."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from nsml_server.api.answers import Following, Json
from nsml_server.api.callers import IdempotencyKey, TheCaller, ThePlatform
from nsml_server.api.schemas import LARGEST, Memo, NewSession
from nsml_server.services import checkpoints, environments, logs, metrics, removals, sessions, stops, views
from nsml_server.services.platform import Platform
from nsml_server.services.sessions import Reference, Request

router = APIRouter(tags=["sessions"])
ONE = "/sessions/{user}/{dataset}/{number}"
Pattern = Annotated[str, Query(min_length=1, max_length=200)]


def reference_of(caller: TheCaller, user: str, dataset: str, number: str, near: str | None = None) -> Reference:
    """The session of the path, which is the caller's own. "_" for user or dataset: find it, `near` this dataset."""
    return Reference(caller, user, dataset, number, near)


TheSession = Annotated[Reference, Depends(reference_of)]


@router.post("/sessions", status_code=201)
def open_session(
    platform: ThePlatform, caller: TheCaller, asked: NewSession, idempotency_key: IdempotencyKey = None
) -> Json:
    """Accept a training; `notes` say what its author should know about its image. The same Idempotency-Key gives the same
    session.
    """
    request = Request(**{**dict(asked), "code": asked.code.to_tree()})
    with platform.database.write() as tx:
        session = sessions.open_session(platform, tx, caller, request, idempotency_key)
        notes = environments.notes_of(platform, tx, session)
        answer = {**views.session(platform, tx, session), "notes": notes}
    return Json(answer, 201)


@router.get("/sessions")
def list_sessions(
    platform: ThePlatform,
    caller: TheCaller,
    all: bool = False,
    last: Annotated[int | None, Query(ge=0, le=sessions.MAX_LIST)] = None,
    dataset: str | None = None,
    search: Annotated[str | None, Query(max_length=200)] = None,
) -> Json:
    """Your sessions, newest first; without `all` those that go on or ended within a day."""
    with platform.database.read() as tx:
        rows = sessions.listed(platform, tx, caller, everything=all, last=last, dataset=dataset, search=search)
        return Json({"sessions": views.sessions(platform, tx, rows)})


@router.delete("/sessions")
def delete_sessions(platform: ThePlatform, caller: TheCaller, name: Pattern, force: bool = False) -> Json:
    """Take all your sessions that a name with wildcards means off the list; with `force` also those that go on."""
    with platform.database.write() as tx:
        removed = removals.remove_matching(platform, tx, caller, name, force=force)
    return Json({"removed": removed})


@router.get(ONE)
def show_session(platform: ThePlatform, named: TheSession) -> Json:
    """One session, with `notes` on its image."""
    with platform.database.read() as tx:
        session = named.find(tx)
        notes = environments.notes_of(platform, tx, session)
        return Json({**views.session(platform, tx, session), "notes": notes})


@router.patch(ONE)
def change_memo(platform: ThePlatform, named: TheSession, asked: Memo) -> Json:
    """Write another memo."""
    with platform.database.write() as tx:
        session = sessions.change_memo(platform, tx, named.find(tx), asked.memo)
        answer = views.session(platform, tx, session)
    return Json(answer)


@router.delete(ONE, status_code=204)
def delete_session(platform: ThePlatform, named: TheSession, force: bool = False) -> Response:
    """Take an ended session off the list, with `force` also one that goes on, or has submits that do; scores stay."""
    with platform.database.write() as tx:
        removals.remove(platform, tx, named.find(tx), force=force)
    return Response(status_code=204)


@router.post(f"{ONE}/stop")
def stop_session(platform: ThePlatform, named: TheSession) -> Json:
    """End a training; harmless when it has ended. An administrator may name anybody's in full."""
    with platform.database.write() as tx:
        stopped = stops.stop(platform, tx, named.caller, stops.find(tx, named))
        answer = views.session(platform, tx, stopped)
    return Json(answer)


@router.get(f"{ONE}/log", response_class=Response)
def show_log(
    platform: ThePlatform,
    named: TheSession,
    offset: Annotated[int, Query(ge=0, le=LARGEST)] = 0,
    follow: bool = False,
) -> Following:
    """What the program has written, from a byte on. With `follow` until the session has ended: a clean end says so."""
    return log_answer(platform, _run_of(platform, named), offset, follow=follow)


def log_answer(platform: Platform, run_id: int, offset: int, *, follow: bool) -> Following:
    """A run's log as text, kept by nobody on the way."""
    chunks = logs.follow(platform, run_id, offset) if follow else logs.read_from(platform, run_id, offset)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
    return Following(chunks, media_type="text/plain; charset=utf-8", headers=headers)


@router.get(f"{ONE}/metrics")
def show_metrics(
    platform: ThePlatform, named: TheSession, points: Annotated[int, Query(ge=1, le=metrics.MAX_POINTS)] = 1000
) -> Json:
    """What the program has reported, as curves of at most about so many points."""
    return Json(views.series(metrics.curves_of(platform, _run_of(platform, named), points)))


@router.get(f"{ONE}/checkpoints")
def list_checkpoints(platform: ThePlatform, named: TheSession) -> Json:
    """What the program has saved; `notices` say what was not kept, and why."""
    with platform.database.read() as tx:
        session = named.find(tx)
        saved = ((row, checkpoints.tree_of(tx, row)) for row in checkpoints.of_session(tx, session))
        return Json({"checkpoints": views.checkpoints(saved), "notices": session.run.notices})


def _run_of(platform: Platform, named: Reference) -> int:
    with platform.database.read() as tx:
        return named.find(tx).run.id
