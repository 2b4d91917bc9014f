"""Coming in and going out: by pasting a token, by a link that works once, and by logging out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Response
from fastapi.responses import HTMLResponse

from nsml_server.errors import Unauthenticated
from nsml_server.services import accounts
from nsml_server.web.addresses import HOME, local_address
from nsml_server.web.i18n import mark
from nsml_server.web.routing import PageRoute
from nsml_server.web.visit import LOGIN_COOKIE, FormChecked, Visit, Visited

router = APIRouter(route_class=PageRoute, include_in_schema=False)
WRONG_TOKEN = mark("This token is wrong, or it was revoked.")


@router.get("/login")
def show_login(visit: Visited, next: str = HOME) -> HTMLResponse:
    """The form for a token."""
    return visit.page("login.html", next=local_address(next), error=None)


@router.post("/login")
def log_in(visit: FormChecked, token: Annotated[str, Form()], next: Annotated[str, Form()] = HOME) -> Response:
    """Log this browser in, and go on to where one wanted to be."""
    platform = visit.platform
    try:
        with platform.database.write() as tx:
            browser = accounts.log_in_browser(tx, token.strip(), platform.now())
    except Unauthenticated as error:
        return visit.page("login.html", status=error.status, next=local_address(next), error=WRONG_TOKEN)
    return _enter(visit, browser, local_address(next))


@router.get("/enter/{code}")
def show_link(visit: Visited, code: str) -> HTMLResponse:
    """Ask before the link is used: programs that look at links ahead of people would use it up."""
    return visit.page("enter.html")


@router.post("/enter/{code}")
def use_link(visit: FormChecked, code: str) -> Response:
    """Log this browser in with a link made by nsmlctl."""
    platform = visit.platform
    with platform.database.write() as tx:
        browser = accounts.redeem_login_link(tx, code, platform.now())
    return _enter(visit, browser, HOME)


@router.post("/logout")
def log_out(visit: FormChecked) -> Response:
    """Forget this browser, here and in the cookie."""
    with visit.platform.database.write() as tx:
        accounts.revoke(tx, visit.login_token)
    response = visit.go(HOME)
    response.delete_cookie(LOGIN_COOKIE, httponly=True, samesite="lax")
    return response


def _enter(visit: Visit, browser_token: str, address: str) -> Response:
    response = visit.go(address)
    visit.set_cookie(response, LOGIN_COOKIE, browser_token, int(accounts.BROWSER))
    return response
