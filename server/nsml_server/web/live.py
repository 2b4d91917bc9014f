"""Pages that move by themselves: server-sent events with the parts of a page that changed.

Parts are HTML, put in place by htmx. The log is different: it is appended at its offset and never sent again; the offset is
the event's id, so a browser that lost its connection goes on where it was.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from nsml_server.services import sessions
from nsml_server.web import logtext, readings
from nsml_server.web.addresses import SESSION, Named
from nsml_server.web.following import Following
from nsml_server.web.routing import PageRoute
from nsml_server.web.visit import LoggedIn, Visit, Visited

router = APIRouter(route_class=PageRoute, include_in_schema=False)
OVER = "over"  # the event after which a page closes the stream


class Parts:
    """Renders parts of a page and remembers what was sent, so that only what changed is sent."""

    def __init__(self, visit: Visit, templates: dict[str, str]) -> None:
        self._visit = visit
        self._templates = templates
        self._sent: dict[str, str] = {}

    def changed(self, values: dict[str, Any]) -> list[ServerSentEvent]:
        """An event for each part that differs from the one sent last."""
        frame = self._visit.frame
        rendered = {event: frame.render(template, **values) for event, template in self._templates.items()}
        fresh = {event: html for event, html in rendered.items() if self._sent.get(event) != html}
        self._sent = rendered
        return [ServerSentEvent(event=event, raw_data=html) for event, html in fresh.items()]


class BoardStream:
    """The events of a board's page."""

    def __init__(self, visit: Visited, dataset: str, mine: bool = False) -> None:
        self._visit, self._dataset, self._mine = visit, dataset, mine
        self._parts = Parts(visit, {"board": "board_rows.html", "news": "board_news.html"})
        self.read()  # a board that is not there is told before the stream begins

    def read(self) -> dict[str, Any]:
        """The board as it is now."""
        return readings.read_board(self._visit.platform, self._visit.caller, self._dataset, self._mine)

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        """The board, and the board again whenever it has moved."""
        async for _ in Following(self._visit.platform.notices, [f"board:{self._dataset}"]):
            for event in await run_in_threadpool(lambda: self._parts.changed(self.read())):
                yield event


class SubmissionStream:
    """The events of a submission's page; they end when it does."""

    def __init__(self, visit: LoggedIn, number: int) -> None:
        self._visit, self._number = visit, number
        self._parts = Parts(visit, {"submission": "submission_state.html"})
        self.read()

    def read(self) -> dict[str, Any]:
        """The submission as it is now."""
        return readings.read_submission(self._visit.platform, self._visit.login, self._number)

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        """The submission at each step."""
        async for _ in Following(self._visit.platform.notices, [f"submission:{self._number}"]):
            values = await run_in_threadpool(self.read)
            for event in await run_in_threadpool(self._parts.changed, values):
                yield event
            if values["submission"]["final"]:
                yield ServerSentEvent(event=OVER, data=True)
                return


class SessionStream:
    """The events of a session's page: state, checkpoints, submissions, new lines of the log, and a word when values came.

    It goes on after the session's end: a checkpoint may still be submitted.
    """

    def __init__(
        self,
        visit: LoggedIn,
        name: Named,
        offset: int = 0,
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> None:
        self._visit, self._platform = visit, visit.platform
        with self._platform.database.read() as tx:
            run = sessions.find(tx, visit.login, *name, None).run
            self._run_id, self._final = run.id, run.state.is_final
        self._name = name
        self._offset = _offset_of(last_event_id, offset)
        templates = ("state", "console", "checkpoints", "submissions", "products")
        self._parts = Parts(visit, {part: f"session_{part}.html" for part in templates})

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        """What changed, part by part."""
        state, log, curves = (f"session:{self._run_id}", *(f"stream:{self._run_id}:{s}" for s in ("log", "events")))
        async for changed in Following(self._platform.notices, [state, log, curves]):
            if state in changed:
                for event in await run_in_threadpool(self._changed_parts):
                    yield event
            if curves in changed:
                yield ServerSentEvent(event="metrics", data=True)
            if log in changed or state in changed:
                for event in await run_in_threadpool(lambda: list(self._new_log())):
                    yield event

    def _changed_parts(self) -> list[ServerSentEvent]:
        with self._platform.database.read() as tx:
            values = readings.read_session(self._platform, tx, self._visit.login, self._name)
        self._final = values["session"]["final"]
        return self._parts.changed(values)

    def _new_log(self) -> Iterator[ServerSentEvent]:
        """What the log has got since, in pieces; of very much only the end."""
        streams, run_id = self._platform.streams, self._run_id
        size = streams.size(run_id, readings.LOG)
        if size - self._offset > logtext.TAIL:
            self._offset = logtext.tail_offset(size)
            self._offset += logtext.align_start(
                streams.read(run_id, readings.LOG, self._offset, logtext.CHUNK), self._offset
            )
        while self._offset < size:
            data = streams.read(run_id, readings.LOG, self._offset, logtext.CHUNK)
            last = self._final and self._offset + len(data) >= size
            piece = logtext.clean(data, final=last)
            if not piece.consumed:
                return
            start, self._offset = self._offset, self._offset + piece.consumed
            told = {"offset": start, "end": self._offset, "text": piece.text}
            yield ServerSentEvent(event="log", id=str(self._offset), data=told)


@router.get("/leaderboard/{dataset}/live", response_class=EventSourceResponse)
async def follow_board(stream: Annotated[BoardStream, Depends()]) -> AsyncIterator[ServerSentEvent]:
    """The board as it moves."""
    async for event in stream.events():
        yield event


@router.get("/submission/{number}/live", response_class=EventSourceResponse)
async def follow_submission(stream: Annotated[SubmissionStream, Depends()]) -> AsyncIterator[ServerSentEvent]:
    """A submission until it ends."""
    async for event in stream.events():
        yield event


@router.get(f"{SESSION}/live", response_class=EventSourceResponse)
async def follow_session(stream: Annotated[SessionStream, Depends()]) -> AsyncIterator[ServerSentEvent]:
    """A session as it goes on."""
    async for event in stream.events():
        yield event


def _offset_of(last_event_id: str | None, offset: int) -> int:
    """Where the browser is: what it says it heard last, else what its page held."""
    heard = last_event_id if last_event_id and last_event_id.isascii() and last_event_id.isdecimal() else ""
    return min(int(heard[:18]) if heard else max(0, offset), 2**62)
