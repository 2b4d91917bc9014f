"""How answers leave: JSON as ready bytes, errors in one shape, whatever raised them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from nsml_server.domain.names import shown
from nsml_server.errors import Conflict, Invalid, NsmlError, Unavailable

WORKERS = "/agent/"  # where the paths of their API begin

log = structlog.get_logger()


class Json(Response):
    """A dict or list as it is, in seven times less time than through a model."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Numbers that JSON does not have become null."""
        return orjson.dumps(content)


class Following(StreamingResponse):
    """A stream of text. A clean end says that it is over; when the server goes down it breaks off instead."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the end; on Unavailable return without the last chunk, so that the connection is cut."""
        try:
            await super().__call__(scope, receive, send)
        except* Unavailable:
            log.info("follower_cut_off", path=scope.get("path"))


def add_handlers(app: FastAPI) -> None:
    """Every error in one shape: {"error": {"code", "message", "hint", "details"}}."""
    app.add_exception_handler(NsmlError, _answer_ours)
    app.add_exception_handler(RequestValidationError, _answer_malformed)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(IntegrityError, _answer_clash)
    app.add_exception_handler(ClientDisconnect, _answer_nobody)
    app.add_exception_handler(Exception, _answer_unexpected)


def of_error(error: NsmlError, extra: dict[str, Any] | None = None) -> Json:
    """An error as an answer."""
    headers = {"WWW-Authenticate": "Bearer"} if error.status == HTTPStatus.UNAUTHORIZED else None
    return Json({**error.to_dict(), **(extra or {})}, error.status, headers=headers)


async def _answer_ours(_: Request, error: Exception) -> Response:
    assert isinstance(error, NsmlError)  # noqa: S101  the handler is registered for nothing else
    # A worker finds the stream's size beside the error, where it goes on from.
    size = getattr(error, "size", None)
    return of_error(error, None if size is None else {"size": size})


async def _answer_malformed(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    what = f"{shown(where)} is not right" if where else "The request is not right"
    told = [{"loc": list(item["loc"]), "message": item["msg"]} for item in error.errors()[:20]]
    return of_error(Invalid(f"{what}: {first['msg']}.", code="malformed", details={"errors": told}))


async def _answer_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    code = HTTPStatus(error.status_code).name.lower()
    message = f"{error.detail}." if error.detail else "That did not work."
    body = {"error": {"code": code, "message": message, "hint": None, "details": None}}
    return Json(body, error.status_code, headers=dict(error.headers or {}))


async def _answer_clash(request: Request, error: Exception) -> Response:
    log.warning("rows_clashed", path=request.url.path, error=str(error)[:500])
    message = "The same was asked for twice at the same moment."
    # A worker repeats what was not possible now, and takes a conflict for the end of its attempt.
    is_worker = request.url.path.startswith(WORKERS)
    return of_error(Unavailable(message) if is_worker else Conflict(message, hint="Ask again."))


async def _answer_nobody(request: Request, _: Exception) -> Response:
    log.info("client_left", path=request.url.path)
    return Response(status_code=HTTPStatus.BAD_REQUEST)


async def _answer_unexpected(request: Request, error: Exception) -> Response:
    log.error("request_failed", path=request.url.path, exc_info=error)
    return of_error(NsmlError())
