"""Routes of pages: what goes wrong is told on a page, in the reader's language, never as JSON or a trace."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from nsml_server.errors import Invalid, NotFound, NsmlError, Unauthenticated
from nsml_server.web.addresses import login_address
from nsml_server.web.i18n import mark
from nsml_server.web.visit import Visit

HEADINGS = {
    401: mark("Log in first"),
    403: mark("Not allowed"),
    404: mark("Not found"),
    409: mark("That does not go now"),
    429: mark("Too often"),
}
OTHER_HEADING = mark("That did not work")
NO_SUCH_PAGE = mark("There is no such page, or it is not yours.")


class PageRoute(APIRoute):
    """Turns errors into pages; a page that needs a login leads to it and comes back."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of FastAPI with ours around it."""
        handle = super().get_route_handler()

        async def handle_for_people(request: Request) -> Response:
            try:
                return await handle(request)
            except Unauthenticated as error:
                if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
                    return RedirectResponse(login_address(_address_of(request)), status_code=303)
                return await run_in_threadpool(show_error, request, error)
            except NsmlError as error:
                return await run_in_threadpool(show_error, request, _as_for_people(request, error))
            except RequestValidationError:
                return await run_in_threadpool(show_error, request, NotFound(NO_SUCH_PAGE))

        return handle_for_people


def show_error(request: Request, error: NsmlError) -> Response:
    """A page that says what went wrong and what to do; a script of ours gets it as a line above the page's content."""
    visit = Visit(request)
    if visit.is_partial:
        response = visit.page("notice.html", status=error.status, error=error)
        response.headers.update({"HX-Retarget": "#notice", "HX-Reswap": "innerHTML"})
        return response
    heading = HEADINGS.get(error.status, OTHER_HEADING)
    return visit.page("error.html", status=error.status, error=error, heading=heading)


def _as_for_people(request: Request, error: NsmlError) -> NsmlError:
    """What is no name or no number in an address is to a person a page that does not exist."""
    return NotFound(NO_SUCH_PAGE) if request.method == "GET" and isinstance(error, Invalid) else error


def _address_of(request: Request) -> str:
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
