"""Whether the server lives, whether it can do its work, and its numbers."""

from __future__ import annotations

import structlog
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from nsml_server import telemetry
from nsml_server.api.answers import Json
from nsml_server.api.callers import ThePlatform
from nsml_server.version import VERSION

router = APIRouter(tags=["health"])

log = structlog.get_logger()


@router.get("/healthz")
async def is_alive() -> Json:
    """The process answers."""
    return Json({"alive": True, "version": VERSION})


@router.get("/readyz")
def is_ready(platform: ThePlatform, request: Request) -> Json:
    """The database answers and the dispatcher works; 503 otherwise."""
    checks = {"database": _database_answers(platform), "dispatcher": request.app.state.dispatcher.is_alive}
    ready = all(checks.values())
    return Json({"ready": ready, "checks": checks}, 200 if ready else 503)


@router.get("/metrics", response_class=Response)
def show_metrics(platform: ThePlatform) -> Response:
    """Numbers for Prometheus."""
    return Response(telemetry.render(telemetry.make_registry(platform)), media_type=CONTENT_TYPE_LATEST)


def _database_answers(platform: ThePlatform) -> bool:
    try:
        platform.database.check()
    except Exception as error:  # whatever it is, the answer is no
        log.warning("database_away", error=str(error)[:500])
        return False
    return True
