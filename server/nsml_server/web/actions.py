"""What a form changes: a session is stopped or described, a checkpoint submitted, a submit cancelled.

A script of ours gets the part of the page that changed; a browser without scripts is led back to the page.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Response

from nsml_server.services import sessions, submissions
from nsml_server.storage.database import ReadTransaction
from nsml_server.storage.tables import Session
from nsml_server.web import readings
from nsml_server.web.routing import PageRoute
from nsml_server.web.visit import FormChecked, Visit

router = APIRouter(route_class=PageRoute, include_in_schema=False)
SESSION = "/session/{user}/{dataset}/{number}"


@router.post(f"{SESSION}/stop")
def stop_session(visit: FormChecked, user: str, dataset: str, number: str) -> Response:
    """End a session's program."""
    with visit.platform.database.write() as tx:
        session = sessions.stop(visit.platform, tx, _find(visit, tx, user, dataset, number))
        values = readings.read_session(visit.platform, tx, session)
    return _answer(visit, "session_state.html", values)


@router.post(f"{SESSION}/memo")
def change_memo(
    visit: FormChecked, user: str, dataset: str, number: str, memo: Annotated[str, Form()] = ""
) -> Response:
    """Write another memo."""
    with visit.platform.database.write() as tx:
        found = _find(visit, tx, user, dataset, number)
        values = readings.read_session(
            visit.platform, tx, sessions.change_memo(visit.platform, tx, found, memo.strip())
        )
    return _answer(visit, "session_memo.html", values)


@router.post(f"{SESSION}/submit")
def submit_checkpoint(
    visit: FormChecked,
    user: str,
    dataset: str,
    number: str,
    checkpoint: Annotated[str, Form()],
    once: Annotated[str, Form()],
) -> Response:
    """Have a checkpoint scored on the hidden test."""
    with visit.platform.database.write() as tx:
        session = _find(visit, tx, user, dataset, number)
        submissions.submit(visit.platform, tx, visit.login, session, checkpoint, once)
        values = readings.read_session(visit.platform, tx, session)
    return _answer(visit, "session_submissions.html", values)


@router.post("/submission/{number}/cancel")
def cancel_submission(visit: FormChecked, number: int) -> Response:
    """Give a submit up."""
    with visit.platform.database.write() as tx:
        submissions.cancel(visit.platform, tx, submissions.find(tx, visit.login, number))
    if not visit.is_partial:
        return visit.go(f"/submission/{number}")
    return visit.page("submission_state.html", **readings.read_submission(visit.platform, visit.login, number))


def _find(visit: Visit, tx: ReadTransaction, user: str, dataset: str, number: str) -> Session:
    return sessions.find(tx, visit.login, user, dataset, number, None)


def _answer(visit: Visit, part: str, values: dict[str, Any]) -> Response:
    return visit.page(part, **values) if visit.is_partial else visit.go(values["base"])
