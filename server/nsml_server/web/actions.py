"""What a form changes: a session is stopped or described, a checkpoint submitted, a submit cancelled.

A script of ours gets the part of the page that changed; a browser without scripts is led back to the page.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Response

from nsml_server.services import sessions, stops, submissions
from nsml_server.web import readings
from nsml_server.web.addresses import SESSION, Named, SessionName
from nsml_server.web.routing import PageRoute
from nsml_server.web.visit import FormChecked, Visit

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.post(f"{SESSION}/stop")
def stop_session(visit: FormChecked, name: Named) -> Response:
    """End a session's program."""
    with visit.platform.database.write() as tx:
        stops.stop(visit.platform, tx, visit.login, sessions.find(tx, visit.login, *name, None))
    return _answer(visit, "session_state.html", name)


@router.post(f"{SESSION}/memo")
def change_memo(visit: FormChecked, name: Named, memo: Annotated[str, Form()] = "") -> Response:
    """Write another memo."""
    with visit.platform.database.write() as tx:
        found = sessions.find(tx, visit.login, *name, None)
        sessions.change_memo(visit.platform, tx, found, memo.strip())
    return _answer(visit, "session_memo.html", name)


@router.post(f"{SESSION}/submit")
def submit_checkpoint(
    visit: FormChecked,
    name: Named,
    checkpoint: Annotated[str, Form()],
    once: Annotated[str, Form()],
) -> Response:
    """Have a checkpoint scored on the hidden test."""
    with visit.platform.database.write() as tx:
        session = sessions.find(tx, visit.login, *name, None)
        submissions.submit(visit.platform, tx, visit.login, session, submissions.Wish(checkpoint), once)
    return _answer(visit, "session_submissions.html", name)


@router.post(f"{SESSION}/rehearse")
def rehearse_checkpoint(
    visit: FormChecked,
    name: Named,
    checkpoint: Annotated[str, Form()],
    once: Annotated[str, Form()],
) -> Response:
    """Have a checkpoint tried on the dataset's public sample, which counts nowhere."""
    wish = submissions.Wish(checkpoint)
    with visit.platform.database.write() as tx:
        session = sessions.find(tx, visit.login, *name, None)
        submissions.submit(visit.platform, tx, visit.login, session, wish, once, rehearse=True)
    return _answer(visit, "session_submissions.html", name)


@router.post("/submission/{number}/cancel")
def cancel_submission(visit: FormChecked, number: int) -> Response:
    """Give a submit up."""
    with visit.platform.database.write() as tx:
        submissions.cancel(visit.platform, tx, submissions.find(tx, visit.login, number))
    if not visit.is_partial:
        return visit.go(f"/submission/{number}")
    return visit.page("submission_state.html", **readings.read_submission(visit.platform, visit.login, number))


def _answer(visit: Visit, part: str, name: SessionName) -> Response:
    with visit.platform.database.read() as tx:
        values = readings.read_session(visit.platform, tx, visit.login, name)
    return visit.page(part, **values) if visit.is_partial else visit.go(values["base"])
