"""Looks after the worker while the server serves, and sees both off: one thread, from the start to the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from nsml_server.domain.capacity import is_scoring
from nsml_server.embedded import banner
from nsml_server.embedded.child import WorkerChild
from nsml_server.services import nodes, runs, specs
from nsml_server.services.platform import Platform
from nsml_server.storage.repositories import nodes as node_rows
from nsml_server.storage.repositories import runs as run_rows
from nsml_server.storage.repositories import sessions as session_rows

LOOK = 0.5  # seconds between two looks at the worker
FIRST_LOOK = 0.05  # the same until it has reported for the first time
HELLO = 30.0  # seconds the greeting waits for the worker's report
SECOND_THOUGHT = 5.0  # seconds in which a second Ctrl-C stops what runs
STOPPING = 30.0  # seconds everything has to stop then

log = structlog.get_logger()


class Keeper:
    """Signals come in by `on_signal`; `leave` is called when the server may end."""

    def __init__(self, platform: Platform, child: WorkerChild, say: Callable[[str], None]) -> None:
        self._platform, self._child, self._say = platform, child, say
        self._asked, self._again = threading.Event(), threading.Event()

    def on_signal(self) -> None:
        """The first asks to end, the second to stop what runs too."""
        (self._again if self._asked.is_set() else self._asked).set()

    def keep(self, greet: Callable[[str | None], None], leave: Callable[[], None]) -> None:
        """From the worker's report to the server's end. `greet` is told how boxes are sealed."""
        try:
            greet(self._await_hello())
            while not self._asked.wait(LOOK):
                self._tend()
            self._part()
        except Exception:  # whatever it was, the server must not stay without its keeper
            log.exception("keeper_failed")
        finally:
            self._child.leave()
            leave()

    def _await_hello(self) -> str | None:
        begin, until = self._platform.now(), time.monotonic() + HELLO
        while time.monotonic() < until and not self._asked.is_set():
            with self._platform.database.read() as tx:
                if any(node.connected and node.seen_at >= begin for node in node_rows.all_nodes(tx)):
                    return nodes.confinement(tx)
            self._asked.wait(FIRST_LOOK)
            self._tend()
        return None

    def _tend(self) -> None:
        said = self._child.tend()
        if said:
            self._say(said)

    def _part(self) -> None:
        running = self._running()
        self._say(banner.part(running, SECOND_THOUGHT))
        if running and self._again.wait(SECOND_THOUGHT):
            self._say("Stopping them too.")
            self._stop_all()

    def _running(self) -> list[str]:
        with self._platform.database.read() as tx:
            trainings = [run for run in run_rows.on_nodes(tx) if not is_scoring(run.kind)]
            found = (session_rows.of_id(tx, run.session_id) for run in trainings)
            return [str(specs.name_of(session)) for session in found if session is not None]

    def _stop_all(self) -> None:
        with self._platform.database.write() as tx:
            for run in run_rows.on_nodes(tx):
                runs.ask_to_stop(self._platform, tx, run)
        until = time.monotonic() + STOPPING
        while time.monotonic() < until:
            with self._platform.database.read() as tx:
                if not run_rows.on_nodes(tx):
                    return
            time.sleep(FIRST_LOOK)
