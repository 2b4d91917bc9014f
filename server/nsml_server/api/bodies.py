"""Bytes that come in: counted while they come, never held whole unless they are small."""

from __future__ import annotations

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nsml_server.errors import TooLarge
from nsml_server.storage.receivers import Receiver

CHUNK = 2**20  # bytes gathered before they are written


async def read_small(request: Request, limit: int) -> bytes:
    """The whole body. Raises TooLarge beyond `limit` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise TooLarge(f"The request holds more than {limit:,} bytes.", hint="Send it in smaller parts.")
    return bytes(body)


async def pour(request: Request, receiver: Receiver) -> int:
    """The body into a blob that is on its way in; returns its size. Cut off half-way, nothing is kept."""
    gathered = bytearray()
    with receiver:
        async for chunk in request.stream():
            gathered += chunk
            if len(gathered) >= CHUNK:
                await run_in_threadpool(receiver.write, bytes(gathered))
                gathered.clear()
        await run_in_threadpool(receiver.write, bytes(gathered))
        return await run_in_threadpool(receiver.finish)


class JsonLimit:
    """ASGI middleware: refuses JSON bodies beyond a limit, however they are sent."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what is received of a JSON body."""
        if scope["type"] != "http" or not _is_json(scope):
            await self._app(scope, receive, send)
            return
        left = self._limit

        async def receive_counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413, f"The request holds more than {self._limit:,} bytes")
            return message

        await self._app(scope, receive_counted, send)


def _is_json(scope: Scope) -> bool:
    return any(name == b"content-type" and b"json" in value.lower() for name, value in scope["headers"])
