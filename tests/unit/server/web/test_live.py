"""Server-sent events: parts that changed, the log by its offset, and nothing for strangers.

In most of these tests the server is going down, so each stream ends after its first round and can be read whole.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import Request
from fastapi.testclient import TestClient

from nsml_server.services import accounts
from nsml_server.storage.tables import Run, Submission
from nsml_server.web import logtext
from nsml_server.web.addresses import SessionName
from nsml_server.web.live import SessionStream, SubmissionStream
from nsml_server.web.visit import Visit

SESSION = "/session/mina/kin/1/live"


@pytest.fixture
def going_down(site: Any) -> None:
    """Whoever follows hears what there is, and the stream ends."""
    site.platform.notices.close()


def events(client: TestClient, path: str, **headers: str) -> list[tuple[str, str, str]]:
    """(event, id, data) of a whole stream."""
    answer = client.get(path, headers={"Accept": "text/event-stream", **headers})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in answer.text.split("\n\n"):
        fields: dict[str, list[str]] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(": ")
            fields.setdefault(name, []).append(value)
        if "event" in fields:
            found.append((fields["event"][0], fields.get("id", [""])[0], "\n".join(fields.get("data", []))))
    return found


def log_of(found: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    """The log's pieces; the id of each is where it ends."""
    pieces = [(event_id, json.loads(data)) for name, event_id, data in found if name == "log"]
    assert all(event_id == str(piece["end"]) for event_id, piece in pieces)
    return [piece for _, piece in pieces]


@pytest.mark.usefixtures("going_down")
def test_a_board_sends_its_rows_and_its_news(stranger: TestClient) -> None:
    found = events(stranger, "/leaderboard/kin/live")
    assert [name for name, _, _ in found] == ["board", "news"]
    assert "0.834685" in found[0][2]
    assert "<html" not in found[0][2]


@pytest.mark.usefixtures("going_down")
def test_a_session_sends_its_parts_and_the_log_from_where_the_page_ends(site: Any, mina: TestClient) -> None:
    site.write_log(b"one\ntwo\n")
    found = events(mina, f"{SESSION}?offset=4")
    assert [name for name, _, _ in found] == [
        "state",
        "console",
        "checkpoints",
        "submissions",
        "products",
        "metrics",
        "log",
    ]
    assert log_of(found) == [{"offset": 4, "end": 8, "text": "two\n"}]


@pytest.mark.usefixtures("going_down")
def test_a_browser_that_was_cut_off_goes_on_where_it_was(site: Any, mina: TestClient) -> None:
    site.write_log(b"one\ntwo\nthree\n")
    assert log_of(events(mina, f"{SESSION}?offset=0", **{"Last-Event-ID": "8"})) == [
        {"offset": 8, "end": 14, "text": "three\n"}
    ]


@pytest.mark.parametrize("heard", ["", "-5", "x", "９", "1" * 400])
@pytest.mark.usefixtures("going_down")
def test_a_strange_last_event_id_breaks_nothing(site: Any, mina: TestClient, heard: str) -> None:
    site.write_log(b"one\n")
    pieces = log_of(events(mina, f"{SESSION}?offset=0", **{"Last-Event-ID": heard.encode()}))  # type: ignore[dict-item]
    assert pieces in ([{"offset": 0, "end": 4, "text": "one\n"}], [])


@pytest.mark.usefixtures("going_down")
def test_a_log_far_ahead_is_joined_near_its_end(site: Any, mina: TestClient) -> None:
    line = b"x" * 99 + b"\n"
    site.write_log(line * 20_000)
    pieces = log_of(events(mina, f"{SESSION}?offset=0"))
    assert pieces[0]["offset"] >= 2_000_000 - logtext.TAIL
    assert pieces[0]["offset"] % 100 == 0
    assert pieces[-1]["end"] == 2_000_000
    assert all(len(piece["text"]) <= logtext.CHUNK for piece in pieces)
    assert [piece["offset"] for piece in pieces[1:]] == [piece["end"] for piece in pieces[:-1]]


@pytest.mark.usefixtures("going_down")
def test_half_a_character_waits_and_comes_out_when_the_program_has_ended(site: Any, mina: TestClient) -> None:
    site.write_log("한".encode()[:2])
    assert log_of(events(mina, SESSION)) == []
    site.change(Run, 1, state="exited")
    assert log_of(events(mina, SESSION)) == [{"offset": 0, "end": 2, "text": "\ufffd"}]


@pytest.mark.parametrize("path", [SESSION, "/submission/1/live"])
def test_strangers_follow_nothing(juno: TestClient, stranger: TestClient, path: str) -> None:
    assert juno.get(path).status_code == 404
    assert stranger.get(path, headers={"Accept": "text/event-stream"}).status_code == 401


@pytest.mark.usefixtures("going_down")
def test_a_submission_that_has_ended_says_so_and_closes(mina: TestClient) -> None:
    assert [name for name, _, _ in events(mina, "/submission/1/live")] == ["submission", "over"]


def test_a_submission_is_followed_to_its_end(site: Any) -> None:
    site.change(Submission, 1, state="scoring", score=None)

    async def follow() -> list[str | None]:
        stream = SubmissionStream(visit_of(site), 1).events()
        heard = [(await anext(stream)).event]
        site.change(Submission, 1, state="scored", score=0.5)
        site.platform.notices.publish("submission:1")
        return heard + [event.event async for event in stream]

    assert asyncio.run(follow()) == ["submission", "submission", "over"]


def test_only_what_changed_is_sent_again(site: Any) -> None:
    async def until(stream: AsyncIterator[Any], name: str) -> list[str]:
        heard = []
        async for event in stream:
            heard.append(event.event)
            if event.event == name:
                return heard
        raise AssertionError(f"no {name} in {heard}")

    async def follow() -> list[str]:
        stream = SessionStream(visit_of(site), SessionName("mina", "kin", "1")).events()
        await until(stream, "metrics")
        site.change(Run, 1, summary={"train/loss": 0.125})
        site.platform.notices.publish("session:1")
        first = await until(stream, "state")
        site.write_log(b"one\n")
        site.platform.notices.publish("stream:1:log")
        return first + await until(stream, "log")

    assert asyncio.run(follow()) == ["state", "log"]


def visit_of(site: Any) -> Any:
    """Mina's visit, without a browser."""
    with site.platform.database.write() as tx:
        browser = accounts.log_in_browser(tx, site.tokens["mina"], site.platform.now())
    headers = [(b"cookie", f"nsml_browser={browser}".encode()), (b"host", b"here")]
    return Visit(Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers,
                          "scheme": "http", "server": ("here", 80), "app": site.app}))  # fmt: skip
