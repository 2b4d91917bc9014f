"""How one request goes: headers, repetitions, a platform that was started anew, and errors as this program's own."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from nsmlctl import __version__
from nsmlctl.errors import CutOff, NotLoggedIn, ServerAway, VersionSkew, error_of
from nsmlctl.transport import Body, Request, Response, Transport

ROOT = "/api/v1"
RETRY_DELAYS = (0.1, 0.5, 2.0)  # seconds; a restarting proxy or a cut connection, not a server that is down
BUSY = (429, 502, 503, 504)  # the same request may well be answered a moment later

Json = dict[str, Any]
# The way and the token to the server when they are others by now, else None.
LoginAgain = Callable[[], tuple[Transport, str] | None]


class Exchange:
    """One server, one login. Calls that may be repeated are repeated when the connection breaks."""

    def __init__(
        self,
        transport: Transport,
        *,
        token: str | None = None,
        away_hint: str | None = None,
        pause: Callable[[float], None] = time.sleep,
        login_again: LoginAgain | None = None,
    ) -> None:
        self._transport, self._token, self._away_hint, self._pause = transport, token, away_hint, pause
        self._login_again = login_again

    def _json(
        self,
        method: str,
        path: str,
        content: Json | None = None,
        *,
        query: Json | None = None,
        key: str | None = None,
        repeat: bool = True,
    ) -> Json:
        headers = {"Idempotency-Key": key} if key else {}
        body = b""
        if content is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(content).encode()
        answer = _parsed(self._exchange(method, with_query(path, query or {}), headers, body, repeat=repeat))
        if not isinstance(answer, dict):
            raise VersionSkew("The server's answer is not one this nsmlctl understands.", _skew_hint(None))
        return answer

    def _exchange(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: Body = b"",
        *,
        repeat: bool = True,
        stream: bool = False,
    ) -> Response:
        """One request, its repetitions, and its errors: what comes back is a success."""
        base = {"Accept": "application/json", "User-Agent": f"nsmlctl/{__version__}"}
        request = Request(method, ROOT + path, {**base, **(headers or {})}, body)
        delays = RETRY_DELAYS if repeat else ()
        try:
            response = self._send(request, delays, stream)
        except CutOff:
            raise
        except ServerAway:
            if not self._renew():
                raise
            response = self._send(request, delays, stream)
        if response.status == 401 and self._renew():
            response = self._send(request, delays, stream)
        if response.status >= 400:
            raise self._explained(response)
        return response

    def _renew(self) -> bool:
        """Whether the platform was started anew and is found again."""
        found = self._login_again() if self._login_again else None
        if found is not None:
            self._transport, self._token = found
        return found is not None

    def _send(self, request: Request, delays: tuple[float, ...], stream: bool) -> Response:
        if self._token:
            request = request._replace(headers={**request.headers, "Authorization": f"Bearer {self._token}"})
        for attempt, delay in enumerate((*delays, None)):
            try:
                response = self._transport.send(request)
                if not stream:
                    response = response._replace(chunks=iter((response.read(),)))
            except ServerAway as error:
                if delay is None or not isinstance(error, CutOff):
                    error.hint = self._away_hint
                    raise
            else:
                if attempt and request.method == "DELETE" and response.status == 404:
                    return Response(204, {}, iter(()))  # the first attempt was carried out before the connection broke
                if delay is None or response.status not in BUSY:
                    return response
                delay = max(delay, _seconds(response.headers.get("retry-after")))
            self._pause(delay)
        raise AssertionError("the last attempt returns or raises")

    def _explained(self, response: Response) -> Exception:
        error = error_of(response.status, _parsed(response))
        if isinstance(error, NotLoggedIn) and error.hint is None:
            error.hint = "Log in with `nsmlctl login URL`, or start a platform here with `nsmlctl up`."
        if isinstance(error, VersionSkew):
            error.hint = _skew_hint(response.headers.get("x-nsml-version"))
        return error


def _parsed(response: Response) -> Any:
    try:
        return json.loads(response.read() or b"{}")
    except ValueError:
        return None


def with_query(path: str, query: Json) -> str:
    given = {key: value for key, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def _seconds(retry_after: str | None) -> float:
    """At most 10 seconds: nobody waits longer in front of a silent terminal."""
    return min(float(retry_after), 10.0) if retry_after and retry_after.isdigit() else 0.0


def _skew_hint(server_version: str | None) -> str:
    theirs = f"version {server_version}" if server_version else "another version, or no platform at all"
    return f"This is nsmlctl {__version__}; there is {theirs} at that address. `nsmlctl status` tells which."
