"""One request of a browser: who it is, which language it reads, and the cookies and form tokens that go with it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Annotated, TypeVar

from fastapi import Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from nsml_server.errors import Forbidden, Unauthenticated
from nsml_server.services import accounts, views
from nsml_server.services.accounts import Caller
from nsml_server.services.platform import Platform
from nsml_server.web.i18n import LANGUAGES, choose_language
from nsml_server.web.rendering import Frame

LOGIN_COOKIE = "nsml_browser"  # the browser's token; its hash is a row, so that a logout ends it on the server too
VISIT_COOKIE = "nsml_visit"  # for visitors without a login: what their form tokens are made with
LANGUAGE_COOKIE = "nsml_language"
LANGUAGE_AGE = 365 * 24 * 3600  # seconds
Answer = TypeVar("Answer", bound=Response)


class Visit:
    """Made once for each request by `visit_of`; pages take it as `Visited`, or `LoggedIn` where a login is needed."""

    def __init__(self, request: Request) -> None:
        self.platform: Platform = request.app.state.platform
        self.request = request
        cookies = request.cookies
        self.login_token = cookies.get(LOGIN_COOKIE, "")
        self.caller = self._find_caller()
        self.fresh_secret = None if self.caller or cookies.get(VISIT_COOKIE) else secrets.token_urlsafe(24)
        self.chosen_language = _known(request.query_params.get("lang"))
        self.language = choose_language(
            self.chosen_language or cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language")
        )

    @property
    def frame(self) -> Frame:
        """What pages show around their content."""
        return Frame(
            language=self.language,
            here=self.request.url.path,
            query=dict(self.request.query_params),
            visitor=self.caller,
            csrf=self.form_token,
            platform=self._describe_platform(),
        )

    @property
    def form_token(self) -> str:
        """What a form of ours carries and a form of another site cannot know: made from this browser's own cookie."""
        secret = self.login_token if self.caller else self.fresh_secret or self.request.cookies[VISIT_COOKIE]
        return hmac.new(secret.encode(), b"form", hashlib.sha256).hexdigest()

    @property
    def is_partial(self) -> bool:
        """Whether a script of ours asks, and wants a part of a page."""
        return self.request.headers.get("hx-request") == "true"

    @property
    def login(self) -> Caller:
        """Who is logged in. Raises Unauthenticated when nobody is."""
        if self.caller is None:
            raise Unauthenticated("This page is for those who are logged in.")
        return self.caller

    def page(self, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
        """A whole page or a part of one, with the cookies that go with this visit."""
        response = HTMLResponse(self.frame.render(template, **values), status)
        response.headers["Cache-Control"] = "no-store"
        response.headers["Vary"] = "Cookie, Accept-Language"
        return self.with_cookies(response)

    def go(self, address: str) -> Response:
        """On to another page of this site after a form."""
        return self.with_cookies(RedirectResponse(address, status_code=303))

    def with_cookies(self, response: Answer) -> Answer:
        """Keep the chosen language, and for visitors without a login the secret of their forms."""
        if self.chosen_language:
            self.set_cookie(response, LANGUAGE_COOKIE, self.chosen_language, LANGUAGE_AGE)
        if self.fresh_secret:
            self.set_cookie(response, VISIT_COOKIE, self.fresh_secret, None)
        return response

    def set_cookie(self, response: Response, name: str, value: str, age: int | None) -> None:
        """A cookie that scripts cannot read and other sites' forms do not send; over TLS only where people reach this page so."""
        public = self.platform.settings.public_url  # a proxy that ends TLS speaks plain HTTP to us
        secure = self.request.url.scheme == "https" or public.startswith("https://")
        response.set_cookie(name, value, max_age=age, httponly=True, samesite="lax", secure=secure)

    def _find_caller(self) -> Caller | None:
        if not self.login_token:
            return None
        try:
            with self.platform.database.read() as tx:
                return accounts.authenticate(tx, self.login_token, self.platform.now())
        except Unauthenticated:
            return None

    def _describe_platform(self) -> views.View:
        with self.platform.database.read() as tx:
            return views.platform(self.platform, tx, self.request.app.version)


def visit_of(request: Request) -> Visit:
    """Dependency: this request's visit. Looks the login up, so it runs outside the event loop."""
    return Visit(request)


Visited = Annotated[Visit, Depends(visit_of)]


def logged_in(visit: Visited) -> Visit:
    """Dependency: the visit of somebody who is logged in. Raises Unauthenticated otherwise."""
    _ = visit.login
    return visit


LoggedIn = Annotated[Visit, Depends(logged_in)]


def form_checked(visit: Visited, csrf: Annotated[str, Form()] = "") -> Visit:
    """Dependency: a form that one of our own pages sent. Raises Forbidden for any other."""
    if not hmac.compare_digest(csrf.encode(), visit.form_token.encode()):
        raise Forbidden("This form is out of date.", hint="Load the page again and repeat what you did.")
    return visit


FormChecked = Annotated[Visit, Depends(form_checked)]


def _known(language: str | None) -> str | None:
    return language if language in LANGUAGES else None
