"""Submits: made, followed, cancelled."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from starlette.concurrency import run_in_threadpool

from nsml_server.api.answers import Following, Json
from nsml_server.api.callers import IdempotencyKey, TheCaller, ThePlatform
from nsml_server.api.schemas import LARGEST, NewSubmission
from nsml_server.api.sessions import ONE, TheSession, log_answer
from nsml_server.services import submissions, views
from nsml_server.services.accounts import Caller
from nsml_server.services.platform import Platform

router = APIRouter(tags=["submissions"])
LONGEST_WAIT = 60.0  # seconds
Number = Annotated[int, Query(ge=0, le=LARGEST)]


@router.post(f"{ONE}/submissions", status_code=201)
def submit(
    platform: ThePlatform,
    caller: TheCaller,
    named: TheSession,
    asked: NewSubmission,
    idempotency_key: IdempotencyKey = None,
) -> Json:
    """Score a checkpoint on the hidden test. The same Idempotency-Key gives the same submission."""
    with platform.database.write() as tx:
        session = named.find(tx)
        submission = submissions.submit(platform, tx, caller, session, asked.to_wish(), idempotency_key)
        answer = views.submission(platform, tx, submission)
    return Json(answer, 201)


@router.post(f"{ONE}/rehearsals", status_code=201)
def rehearse(
    platform: ThePlatform,
    caller: TheCaller,
    named: TheSession,
    asked: NewSubmission,
    idempotency_key: IdempotencyKey = None,
) -> Json:
    """The same on the dataset's public sample: everything is shown and nothing counts."""
    with platform.database.write() as tx:
        session, wish = named.find(tx), asked.to_wish()
        submission = submissions.submit(platform, tx, caller, session, wish, idempotency_key, rehearse=True)
        answer = views.submission(platform, tx, submission)
    return Json(answer, 201)


@router.get(f"{ONE}/submissions")
def list_of_session(platform: ThePlatform, named: TheSession) -> Json:
    """A session's submissions, newest first."""
    with platform.database.read() as tx:
        rows = submissions.of_session(tx, named.find(tx))
        return Json({"submissions": views.submission_list(platform, tx, rows)})


@router.get("/submissions")
def list_submissions(
    platform: ThePlatform,
    caller: TheCaller,
    dataset: str | None = None,
    last: Annotated[int, Query(ge=0, le=submissions.MAX_LIST)] = 100,
) -> Json:
    """Your submissions, newest first."""
    with platform.database.read() as tx:
        rows = submissions.listed(tx, caller, dataset, last)
        return Json({"submissions": views.submission_list(platform, tx, rows)})


@router.get("/submissions/{number}")
async def show_submission(
    platform: ThePlatform,
    caller: TheCaller,
    number: int,
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT)] = 0.0,
    seen: Number | None = None,
) -> Json:
    """One submission. With `wait` and `seen` the answer is held back until its version is another, or the time is over."""
    topic = f"submission:{number}"
    version = platform.notices.version(topic)
    view = await run_in_threadpool(_view, platform, caller, number)
    if view["version"] == seen and not view["final"] and wait:
        await platform.notices.wait_at_most(wait, topic, version)
        view = await run_in_threadpool(_view, platform, caller, number)
    return Json(view)


@router.get("/submissions/{number}/log", response_class=Response)
def show_log(
    platform: ThePlatform,
    caller: TheCaller,
    number: int,
    offset: Annotated[int, Query(ge=0, le=LARGEST)] = 0,
    follow: bool = False,
) -> Following:
    """What the program has written in a rehearsal; with `follow` until it has ended. A submit's log is shown to nobody."""
    with platform.database.read() as tx:
        run_id = submissions.log_of(tx, caller, number)
    return log_answer(platform, run_id, offset, follow=follow)


@router.post("/submissions/{number}/cancel")
def cancel(platform: ThePlatform, caller: TheCaller, number: int) -> Json:
    """End a submission at once; harmless when it has ended."""
    with platform.database.write() as tx:
        submission = submissions.cancel(platform, tx, submissions.find(tx, caller, number))
        answer = views.submission(platform, tx, submission)
    return Json(answer)


def _view(platform: Platform, caller: Caller, number: int) -> views.View:
    with platform.database.read() as tx:
        return views.submission(platform, tx, submissions.find(tx, caller, number))
