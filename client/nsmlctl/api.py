"""The platform's HTTP API as methods. Answers are the server's own JSON objects: this program knows no states."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from nsmlctl import __version__
from nsmlctl.errors import CutOff, NotLoggedIn, ServerAway, VersionSkew, error_of
from nsmlctl.transport import Body, Request, Response, Transport

if TYPE_CHECKING:
    from nsmlctl.references import SessionReference

ROOT = "/api/v1"
RETRY_DELAYS = (0.1, 0.5, 2.0)  # seconds; a restarting proxy or a cut connection, not a server that is down
BUSY = (429, 502, 503, 504)  # the same request may well be answered a moment later
LONG_POLL = 20  # seconds the server may hold back the answer about a submission

Json = dict[str, Any]
# The way and the token to the server when they are others by now, else None.
LoginAgain = Callable[[], tuple[Transport, str] | None]


class Api:
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

    # -- the platform and its people

    def platform(self) -> Json:
        """Version, mode, nodes, limits; needs no login."""
        return self._json("GET", "/platform")

    def me(self) -> Json:
        """Whose token this is."""
        return self._json("GET", "/me")

    def add_user(self, name: str, *, admin: bool) -> Json:
        """{user, token}; the token is shown this once."""
        return self._json("POST", "/users", {"name": name, "admin": admin}, repeat=False)

    def login_link(self) -> Json:
        """{url, expires_in}: a single-use link that logs a browser in."""
        return self._json("POST", "/login-links", {})

    # -- bytes

    def missing(self, hashes: list[str]) -> list[str]:
        """Which of these the server must still be given."""
        return list(self._json("POST", "/blobs/missing", {"hashes": hashes})["missing"])

    def put_blob(self, digest: str, size: int, body: Body) -> None:
        """Upload one file."""
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        self._exchange("PUT", f"/blobs/{digest}", headers, body)

    def put_pack(self, pack: bytes) -> None:
        """Upload many small files at once."""
        self._exchange("POST", "/packs", {"Content-Type": "application/octet-stream"}, pack)

    # -- sessions

    def create_session(self, wish: Json, key: str) -> Json:
        """`key` makes a repeated request harmless."""
        return self._json("POST", "/sessions", wish, key=key)

    def sessions(self, *, every: bool = False, last: int | None = None, **filters: str | None) -> list[Json]:
        """One's own, newest first. Filters: dataset, search."""
        query = {"all": "1" if every else None, "last": last, **filters}
        return list(self._json("GET", "/sessions", query=query)["sessions"])

    def session(self, reference: SessionReference) -> Json:
        """One of one's own sessions."""
        return self._json("GET", reference.path(), query=reference.query())

    def change_memo(self, reference: SessionReference, memo: str) -> Json:
        """Replaces the description."""
        return self._json("PATCH", reference.path(), {"memo": memo}, query=reference.query())

    def remove_session(self, reference: SessionReference) -> None:
        """Deletes the session with its log and checkpoints."""
        self._exchange("DELETE", _with_query(reference.path(), reference.query()))

    def stop_session(self, reference: SessionReference) -> Json:
        """Asks the program to stop; stopping twice is harmless."""
        return self._json("POST", reference.path("/stop"), {}, query=reference.query())

    def checkpoints(self, reference: SessionReference) -> list[Json]:
        """Oldest first."""
        return list(self._json("GET", reference.path("/checkpoints"), query=reference.query())["checkpoints"])

    def log(self, reference: SessionReference, *, offset: int = 0, follow: bool = False) -> Iterator[bytes]:
        """The log's bytes from `offset`. When following, the end means that the session is over; CutOff means it may not be."""
        query = {**reference.query(), "offset": offset, "follow": int(follow)}
        return self._exchange("GET", _with_query(reference.path("/log"), query), stream=True).chunks

    # -- submissions

    def submit(self, reference: SessionReference, checkpoint: str | None, key: str) -> Json:
        """Without a checkpoint the server takes the best by the board's metric."""
        path = reference.path("/submissions")
        return self._json("POST", path, {"checkpoint": checkpoint}, key=key, query=reference.query())

    def submission(self, number: int, *, seen: int | None = None) -> Json:
        """With `seen`, answers when the submission's version is another one, or after LONG_POLL seconds."""
        query = {"wait": LONG_POLL, "seen": seen} if seen is not None else {}
        return self._json("GET", f"/submissions/{number}", query=query)

    # -- datasets

    def push_dataset(self, name: str, wish: Json) -> Json:
        """Checked by the server before it is accepted."""
        return self._json("PUT", f"/datasets/{quote(name, safe='')}", wish)

    def dataset(self, name: str) -> Json:
        """Raises NotFound, which names what there is."""
        return self._json("GET", f"/datasets/{quote(name, safe='')}")

    def datasets(self) -> list[Json]:
        """All that this user may see."""
        return list(self._json("GET", "/datasets")["datasets"])

    def remove_dataset(self, name: str) -> None:
        """Deletes the dataset and its board."""
        self._exchange("DELETE", f"/datasets/{quote(name, safe='')}")

    def board(self, name: str, *, mine: bool = False) -> Json:
        """The leaderboard; with `mine`, every submission of one's own."""
        return self._json("GET", f"/datasets/{quote(name, safe='')}/board", query={"mine": int(mine)})

    # -- how one request goes

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
        answer = _parsed(self._exchange(method, _with_query(path, query or {}), headers, body, repeat=repeat))
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


def _with_query(path: str, query: Json) -> str:
    given = {key: value for key, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def _seconds(retry_after: str | None) -> float:
    """At most 10 seconds: nobody waits longer in front of a silent terminal."""
    return min(float(retry_after), 10.0) if retry_after and retry_after.isdigit() else 0.0


def _skew_hint(server_version: str | None) -> str:
    theirs = f"version {server_version}" if server_version else "another version, or no platform at all"
    return f"This is nsmlctl {__version__}; there is {theirs} at that address. `nsmlctl status` tells which."
