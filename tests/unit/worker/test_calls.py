"""Requests of a worker: what is tried again, what counts, and what happens when it leaves."""

import io
import json
import threading
from collections.abc import Callable

import httpx2
import pytest

from nsml_worker.calls import Calls
from nsml_worker.errors import AttemptOver, Leaving, ServerAway, ServerRefused, StreamGap

PAGE = {"Content-Type": "text/html; charset=utf-8"}


@pytest.fixture
def closed() -> httpx2.Client:
    """A pool as a thread finds it that was still sending when the worker left."""
    client = httpx2.Client(base_url="http://127.0.0.1:9")
    client.close()
    return client


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Calls]:
    """Calls that get these answers, one after the other."""
    monkeypatch.setattr("nsml_worker.calls.FIRST_PAUSE", 0.001)
    monkeypatch.setattr("nsml_worker.calls.LONGEST_PAUSE", 0.001)

    def make(*answers: httpx2.Response) -> Calls:
        coming = iter(answers)

        def answer(request: httpx2.Request) -> httpx2.Response:
            request.read()
            return next(coming)

        client = httpx2.Client(base_url="http://server", transport=httpx2.MockTransport(answer))
        return Calls(client, "token", threading.Event())

    return make


def refusal(status: int, code: str, **more: object) -> httpx2.Response:
    return httpx2.Response(status, json={"error": {"code": code, "message": "Why."}, **more})


NOT_ITS_OWN = {
    "a proxy that has lost it": httpx2.Response(404, text="404 page not found"),
    "a proxy that asks for a login": httpx2.Response(401, headers=PAGE, content=b"<html>"),
    "a redirection": httpx2.Response(302, headers={"Location": "https://elsewhere/"}),
    "an answer of Cloudflare's": httpx2.Response(521, headers=PAGE, content=b"<html>"),
    "its own fault": refusal(500, "internal"),
    "its own haste": refusal(429, "rate_limited"),
    "a page in its place": httpx2.Response(200, headers=PAGE, content=b"<html>"),
    "JSON of somebody else": httpx2.Response(404, json={"message": "no such app"}),
    "half an answer": httpx2.Response(200, content=b'{"size": '),
    "a list": httpx2.Response(200, json=[]),
}


@pytest.mark.parametrize("answer", NOT_ITS_OWN.values(), ids=NOT_ITS_OWN.keys())
def test_what_is_no_answer_of_the_servers_own_is_asked_for_again(
    calls: Callable[..., Calls], answer: httpx2.Response
) -> None:
    assert calls(answer, answer, httpx2.Response(200, json={"size": 3})).post("/x") == {"size": 3}
    with pytest.raises(ServerAway):
        calls(answer).once("POST", "/x")


def test_files_and_packs_are_not_taken_for_told_because_a_page_came_back(calls: Callable[..., Calls]) -> None:
    page = httpx2.Response(200, headers=PAGE, content=b"<html>")
    assert calls(page, httpx2.Response(200, content=b"pack")).fetch("/x", {}) == b"pack"
    put = calls(page, httpx2.Response(201, content=b""), refusal(422, "hash_mismatch"))
    with pytest.raises(ServerRefused):
        put.put("/x", io.BytesIO(b"abc"), 3)
    redirected = httpx2.Response(302, headers={"Location": "https://elsewhere/"}, content=iter([b"moved"]))
    assert b"".join(calls(redirected, page, httpx2.Response(200, content=b"blob")).stream("/x")) == b"blob"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(409, "attempt_over"), AttemptOver),
        (refusal(401, "unauthenticated"), AttemptOver),
        (refusal(409, "stream_gap", size=3), StreamGap),
        (refusal(404, "not_found"), ServerRefused),
        (refusal(401, "another"), ServerRefused),
    ],
)
def test_what_the_server_says_itself_counts_at_once(
    calls: Callable[..., Calls], answer: httpx2.Response, error: type[Exception]
) -> None:
    with pytest.raises(error):
        calls(answer).post("/x")


def test_a_file_that_became_shorter_is_not_filled_up(calls: Callable[..., Calls]) -> None:
    with pytest.raises(OSError, match="shorter"):
        calls(httpx2.Response(201, json={})).put("/x", io.BytesIO(b"abc"), 2**38)


def test_a_file_that_grew_is_sent_as_it_was_measured() -> None:
    seen = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.read())
        return httpx2.Response(201, content=json.dumps({}))

    client = httpx2.Client(base_url="http://server", transport=httpx2.MockTransport(answer))
    Calls(client, "token", threading.Event()).put("/x", io.BytesIO(b"abcdef"), 3)
    assert seen == [b"abc"]


def test_a_thread_that_still_sends_when_the_worker_has_left_is_told_so(closed: httpx2.Client) -> None:
    stop = threading.Event()
    stop.set()
    leaving = Calls(closed, "token", stop)
    for call in (
        lambda: leaving.post("/x"),
        lambda: leaving.once("GET", "/x"),
        lambda: leaving.fetch("/x", {}),
        lambda: list(leaving.stream("/x")),
    ):
        with pytest.raises(Leaving):
            call()


def test_a_pool_that_is_closed_while_the_worker_stays_is_a_mistake_of_ours(closed: httpx2.Client) -> None:
    with pytest.raises(RuntimeError, match="closed"):
        Calls(closed, "token", threading.Event()).post("/x")
