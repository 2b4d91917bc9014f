"""A platform in memory: routes answer in the API's own words, and every request is kept."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from nsmlctl.__main__ import main
from nsmlctl.transport import MemoryTransport, Request, Response
from nsmlctl.workplace import Workplace

SERVER = "http://nsml.test"


@dataclass
class Call:
    """One request as a test likes to look at it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)


@dataclass
class FakePlatform:
    """`on` says what a route answers: JSON, a Response, an exception, or a function of the Call that gives one of these."""

    calls: list[Call] = field(default_factory=list)
    routes: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    pauses: list[float] = field(default_factory=list)

    def on(self, method: str, path: str, *answers: Any) -> None:
        """Several answers are given one after the other, the last one for ever."""
        self.routes[method, path] = list(answers)

    def answer(self, request: Request) -> Response:
        url = urlsplit(request.path)
        body = request.body if isinstance(request.body, bytes) else read_through(request.body)
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        call = Call(request.method, url.path.removeprefix("/api/v1"), query, dict(request.headers), body)
        self.calls.append(call)
        answers = self.routes.get((call.method, call.path))
        if answers is None:
            return refusal(404, "no_such_route", f"{call.method} {call.path} is not known.")
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return as_response(answer(call) if callable(answer) else answer)

    def called(self, method: str, path: str) -> list[Call]:
        return [call for call in self.calls if (call.method, call.path) == (method, path)]


def read_through(opened: Callable[[], Any]) -> bytes:
    stream = opened()
    try:
        return b"".join(iter(lambda: stream.read(65536), b""))
    finally:
        stream.close()


def as_response(answer: Any) -> Response:
    if isinstance(answer, BaseException):
        raise answer
    if isinstance(answer, Response):
        return answer
    if isinstance(answer, bytes):
        return Response(200, {}, iter((answer,)))
    return Response(200, {}, iter((json.dumps(answer).encode(),)))


def refusal(status: int, code: str, message: str, **more: Any) -> Response:
    error = {"code": code, "message": message, "hint": None, "details": None, **more}
    return Response(status, {}, iter((json.dumps({"error": error}).encode(),)))


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def platform() -> FakePlatform:
    return FakePlatform()


@pytest.fixture
def refuse() -> Callable[..., Response]:
    return refusal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the person stands."""
    path = tmp_path / "program"
    path.mkdir()
    return path


@pytest.fixture
def place(platform: FakePlatform, tmp_path: Path, folder: Path) -> Workplace:
    """Logged in to the platform in memory; nothing waits on real time."""
    transport = MemoryTransport(platform.answer)
    environ = {"NSML_SERVER": SERVER, "NSML_TOKEN": "secret"}
    return Workplace(tmp_path / "home", folder, environ, lambda server: transport, platform.pauses.append)


@pytest.fixture
def nsmlctl(place: Workplace, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Runs a command as typed."""

    def run(*words: str, place: Workplace = place) -> Outcome:
        code = main(list(words), place)
        printed = capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    return run


@pytest.fixture
def session() -> Callable[..., dict[str, Any]]:
    """A session as the server describes it."""

    def make(name: str = "kim/kin/1", **more: Any) -> dict[str, Any]:
        user, dataset, number = name.split("/")
        return {
            "name": name, "user": user, "dataset": dataset, "number": int(number), "type": "normal",
            "state": "running", "status": "Running", "final": False, "reason": None, "message": None,
            "waiting": None, "entry": "main.py", "args": "", "memo": "", "gpus": 0, "cpus": 1,
            "created_at": "2020-01-01T00:00:00Z", "started_at": "2020-01-01T00:00:01Z", "ended_at": None,
            "summary": {}, "checkpoints": 0, "size": 0, "url": f"{SERVER}/sessions/{name}", **more,
        }  # fmt: skip

    return make


@pytest.fixture
def submission() -> Callable[..., dict[str, Any]]:
    """A submission as the server describes it."""

    def make(**more: Any) -> dict[str, Any]:
        return {
            "id": 7, "version": 1, "session": "kim/kin/1", "user": "kim", "dataset": "kin", "checkpoint": "3",
            "state": "queued", "final": False, "phase": None, "score": None, "rank": None, "best": False,
            "reason": None, "message": None, "waiting": None, "url": f"{SERVER}/submissions/7", **more,
        }  # fmt: skip

    return make
