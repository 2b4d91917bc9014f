"""Questions of people, on their way from the server to the programs that can answer them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog

from nsml import _contract as sdk
from nsml_worker import lines
from nsml_worker.box import Box, BoxId
from nsml_worker.contract import RunKind
from nsml_worker.errors import Leaving, ServerAway, ServerError
from nsml_worker.server_api import NodeApi

WAIT = 20.0  # seconds the server may hold back its answer
PATIENCE = 28.0  # seconds a program has to answer; after 30 nobody waits any more
BEGINNING = 20.0  # of these, seconds a program has to listen at all where it is there for nothing else
LOOK = 0.1  # seconds between two tries to reach it
AGAIN = 1.0  # seconds before the next try when the server is away
NO_CONSOLE, SILENT, GARBLED, GONE = "no_console", "silent", "garbled", "gone"

log = structlog.get_logger()


class Relay:
    """Fetches questions as long as the worker is here. Each is carried by a thread of its own: some programs are slow."""

    def __init__(self, server: NodeApi, find: Callable[[BoxId], Box | None], halt: threading.Event) -> None:
        self._server = server
        self._find = find
        self._halt = halt
        self._thread = threading.Thread(target=self._go, name="questions", daemon=True)

    def start(self) -> None:
        """Begin. It ends by itself when `halt` is set and the server has answered."""
        self._thread.start()

    def _go(self) -> None:
        while not self._halt.is_set():
            try:
                for question in self._server.fetch_questions(WAIT):
                    threading.Thread(target=self._carry, args=(question,), name="question", daemon=True).start()
            except Leaving:
                return
            except Exception as error:  # what is refused or not understood now may be taken later
                if not isinstance(error, ServerAway):
                    log.error("questions_failed", error=str(error), exc_info=not isinstance(error, ServerError))
                self._halt.wait(AGAIN)

    def _carry(self, question: dict[str, Any]) -> None:
        try:
            box = self._find(BoxId(int(question["run"]), int(question["attempt"])))
            said = {"fault": GONE} if box is None else ask(box, question["asked"])
            self._server.answer_question(int(question["id"]), said)
        except (ServerError, Leaving) as error:
            log.warning("answer_lost", question=question.get("id"), error=str(error))
        except Exception:
            log.exception("answer_failed", question=question.get("id"))


def ask(box: Box, asked: dict[str, Any]) -> dict[str, Any]:
    """What the program answers, {"answer": …}, or {"fault": why there is nothing}."""
    end = time.monotonic() + PATIENCE
    try:
        connection = _reach(box)
    except OSError:
        return {"fault": NO_CONSOLE}
    with connection:
        try:
            lines.write_line(connection, asked, PATIENCE)
            return {"answer": lines.read_line(connection, sdk.MAX_ANSWER, end - time.monotonic())}
        except ValueError:
            return {"fault": GARBLED}
        except OSError:
            return {"fault": SILENT}


def _reach(box: Box) -> socket.socket:
    """The program's console. That of a model which is served is waited for: all it is there for is to answer, once it has begun.

    Raises:
        OSError: nobody listens.
    """
    end = time.monotonic() + (BEGINNING if box.spec.kind is RunKind.SERVE else 0.0)
    while True:
        try:
            return lines.connect(box, sdk.CONSOLE, PATIENCE)
        except OSError:
            if time.monotonic() >= end:
                raise
        time.sleep(LOOK)
