"""Sessions that begin where another one stood."""

from __future__ import annotations

from fastapi import APIRouter

from nsml_server.api.answers import Json
from nsml_server.api.callers import IdempotencyKey, TheCaller, ThePlatform
from nsml_server.api.schemas import NewFork, NewServe
from nsml_server.api.sessions import ONE, TheSession
from nsml_server.services import forks, views
from nsml_server.services.forks import Wish

router = APIRouter(tags=["sessions"])


@router.post(f"{ONE}/fork", status_code=201)
def fork(
    platform: ThePlatform,
    caller: TheCaller,
    named: TheSession,
    asked: NewFork,
    idempotency_key: IdempotencyKey = None,
) -> Json:
    """Train on from a checkpoint, in a session of its own. The same Idempotency-Key gives the same session."""
    start = (asked.checkpoint, asked.args, asked.entry, asked.memo)
    wish = Wish(*start, image=asked.image, resources=asked.to_resources())
    with platform.database.write() as tx:
        session = forks.fork(platform, tx, caller, named.find(tx), wish, idempotency_key)
        answer = views.session(platform, tx, session)
    return Json(answer, 201)


@router.post(f"{ONE}/resume", status_code=201)
def resume(platform: ThePlatform, caller: TheCaller, named: TheSession, idempotency_key: IdempotencyKey = None) -> Json:
    """Let an ended session go on from its last checkpoint, or anew without one: a session with the next number."""
    with platform.database.write() as tx:
        session = forks.resume(platform, tx, caller, named.find(tx), idempotency_key)
        answer = views.session(platform, tx, session)
    return Json(answer, 201)


@router.post(f"{ONE}/infer", status_code=201)
def serve(
    platform: ThePlatform,
    caller: TheCaller,
    named: TheSession,
    asked: NewServe,
    idempotency_key: IdempotencyKey = None,
) -> Json:
    """Load a checkpoint and wait to be asked, in a session that lives until it is stopped or removed."""
    wish = Wish(asked.checkpoint, None, asked.entry, asked.memo, asked.dataset, resources=asked.to_resources())
    with platform.database.write() as tx:
        session = forks.serve(platform, tx, caller, named.find(tx), wish, idempotency_key)
        answer = views.session(platform, tx, session)
    return Json(answer, 201)
