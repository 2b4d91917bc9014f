"""Pages that are read: each asks a service for what it shows and hands it to a template."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse

from nsml_server.services import datasets, machine_views, metrics, nodes, sessions, views
from nsml_server.services.platform import Platform
from nsml_server.web import readings
from nsml_server.web.addresses import SESSION, Named
from nsml_server.web.i18n import mark
from nsml_server.web.routing import PageRoute
from nsml_server.web.visit import LoggedIn, Visited

router = APIRouter(route_class=PageRoute, include_in_schema=False)

SEALING: dict[str | None, str] = {
    "bubblewrap": mark("Programs run sealed by bubblewrap: they see their own code and data, and nothing else."),
    "namespace": mark(
        "Programs run sealed in namespaces of their own: they see their own code and data, and nothing else."
    ),
    "docker": mark("Programs run in containers of their own: they see their own code and data, and nothing else."),
    "user": mark("Programs run as users of their own, without rights: files of others are closed to them."),
    "none": mark("Programs run without a sandbox."),
    None: mark("No machine has reported yet, so sessions wait."),
}
SESSIONS = 200  # rows of the list on one page
POINTS = 1000  # of one line of a chart
CHUNK = 2**20  # bytes of a log read at a time


@router.get("/")
def show_competitions(visit: Visited) -> HTMLResponse:
    """Every dataset with a leaderboard, and the others."""
    with visit.platform.database.read() as tx:
        shown = [views.dataset(visit.platform, tx, dataset) for dataset in datasets.all_live(tx)]
    boards = [dataset for dataset in shown if dataset["leaderboard"]]
    others = [dataset for dataset in shown if not dataset["leaderboard"]]
    return visit.page("competitions.html", boards=boards, others=others)


@router.get("/leaderboard/{dataset}")
def show_leaderboard(visit: Visited, dataset: str, mine: bool = False) -> HTMLResponse:
    """Who is where: the best of each participant, or all that one submitted oneself."""
    values = readings.read_board(visit.platform, visit.caller, dataset, mine)
    problems = readings.read_problems(visit.platform, visit.caller, dataset)
    return visit.page("leaderboard.html", **values, problems=problems)


@router.get("/sessions")
def show_sessions(visit: LoggedIn, everything: Annotated[bool, Query(alias="all")] = False) -> HTMLResponse:
    """One's own sessions, newest first."""
    platform = visit.platform
    with platform.database.read() as tx:
        found = sessions.listed(platform, tx, visit.login, everything=everything, last=SESSIONS)
        shown = views.sessions(platform, tx, found)
    return visit.page("sessions.html", sessions=shown, everything=everything)


@router.get(SESSION)
def show_session(visit: LoggedIn, name: Named) -> HTMLResponse:
    """One session: where it stands, its charts, log, checkpoints and submissions."""
    platform = visit.platform
    with platform.database.read() as tx:
        values = readings.read_session(platform, tx, visit.login, name)
    log = readings.read_log(platform, values["run_id"], final=values["session"]["final"])
    code = readings.read_code(platform, visit.login, name)
    return visit.page("session.html", log=log, once=secrets.token_urlsafe(12), **values, **code)


@router.get(f"{SESSION}/metrics")
def read_metrics(visit: LoggedIn, name: Named) -> JSONResponse:
    """The curves of a session, for its charts."""
    with visit.platform.database.read() as tx:
        run_id = sessions.find(tx, visit.login, *name, None).run.id
    curves = metrics.curves_of(visit.platform, run_id, POINTS)
    return JSONResponse(views.series(curves), headers={"Cache-Control": "no-store"})


@router.get(f"{SESSION}/log")
def read_whole_log(visit: LoggedIn, name: Named) -> StreamingResponse:
    """The whole log as the program wrote it, as plain text that no browser takes for anything else."""
    with visit.platform.database.read() as tx:
        run_id = sessions.find(tx, visit.login, *name, None).run.id
    size = visit.platform.streams.size(run_id, readings.LOG)
    headers = {"Cache-Control": "no-store", "Content-Length": str(size), "Content-Security-Policy": "sandbox"}
    chunks = _chunks(visit.platform, run_id, size)
    return StreamingResponse(chunks, media_type="text/plain; charset=utf-8", headers=headers)


@router.get("/submission/{number}")
def show_submission(visit: LoggedIn, number: int) -> HTMLResponse:
    """One submission: how far it is, its score, or what went wrong."""
    return visit.page("submission.html", **readings.read_submission(visit.platform, visit.login, number))


@router.get("/status")
def show_status(visit: Visited) -> HTMLResponse:
    """The machines, and how programs are sealed on them."""
    with visit.platform.database.read() as tx:
        machines = machine_views.machines(visit.platform, tx)
        sealed = _sealing(nodes.confinement(tx))
    return visit.page("status.html", machines=machines, sealed=sealed)


def _sealing(confinement: str | None) -> str:
    """What it means to a reader. What stands in brackets behind a way says how disks are counted, not how one is sealed."""
    return SEALING.get(confinement and confinement.partition(" ")[0], SEALING["none"])


def _chunks(platform: Platform, run_id: int, size: int) -> Iterator[bytes]:
    offset = 0
    while offset < size and (chunk := platform.streams.read(run_id, readings.LOG, offset, min(CHUNK, size - offset))):
        offset += len(chunk)
        yield chunk
