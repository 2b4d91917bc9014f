"""The pages as a whole: routes, files and headers, put into an application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exception_handlers import http_exception_handler
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from nsml_server.errors import NotFound
from nsml_server.web import actions, console, contents, live, login, pages, successors
from nsml_server.web.headers import SafeHeaders
from nsml_server.web.rendering import STATIC
from nsml_server.web.routing import NO_SUCH_PAGE, show_error

FORM = 64 * 2**10  # bytes of one form
YEAR = 365 * 24 * 3600  # seconds
PROGRAMS = ("/api/", "/agent/", "/static/")  # addresses below which no person looks

router = APIRouter()
for part in (pages, live, actions, successors, console, contents, login):
    router.include_router(part.router)


class Assets(StaticFiles):
    """Files of the package. One that is asked for with its digest never changes, so browsers keep it."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, to be kept for good when its address names its content."""
        response = await super().get_response(path, scope)
        kept = f"public, max-age={YEAR}, immutable" if b"v=" in scope["query_string"] else "no-cache"
        response.headers["Cache-Control"] = kept
        return response


def install(app: FastAPI) -> None:
    """Give an application the pages. It must carry the services' Platform as `app.state.platform`.

    Call it after the application's own error handlers were added: addresses that nothing answers get a page from here on.
    """
    app.include_router(router, max_body_size=FORM)
    app.mount("/static", Assets(directory=STATIC), name="static")
    app.add_middleware(SafeHeaders)
    others: Callable[[Request, Any], Awaitable[Response]] = app.exception_handlers.get(  # type: ignore[assignment]
        HTTPException, http_exception_handler
    )

    async def tell(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code == NotFound.status and _is_for_people(request):
            return await run_in_threadpool(show_error, request, NotFound(NO_SUCH_PAGE))
        return await others(request, error)

    app.add_exception_handler(HTTPException, tell)


def _is_for_people(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(PROGRAMS)
