"""The node's part in the conversation with the server: which boxes are here, which are to end, which are taken on."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from typing import Any

import structlog

from nsml_worker.attempts import AFTER_REFUSAL, Attempts
from nsml_worker.box import BoxId
from nsml_worker.capacity import Meter
from nsml_worker.console import Relay
from nsml_worker.contract import Capacity, Use
from nsml_worker.errors import AttemptOver, Leaving, ServerAway, ServerError
from nsml_worker.gauge import Gauge
from nsml_worker.materialise import BlobCache
from nsml_worker.run import Run
from nsml_worker.runner import Runner
from nsml_worker.server_api import NodeApi
from nsml_worker.warming import Warmer

FIRST_HEARTBEAT = 5.0  # seconds between two heartbeats until the server says otherwise
PARTING = 2.0  # seconds to wait for threads that are busy when the worker leaves
ENDING = 60.0  # seconds for a box that is killed and removed

log = structlog.get_logger()


class Agent:
    """Takes runs, keeps their leases, and adopts what an earlier worker left. Every public method may be called by any thread."""

    def __init__(
        self,
        server: NodeApi,
        runner: Runner,
        cache: BlobCache,
        capacity: Capacity,
        halt: threading.Event,
        meter: Meter | None = None,
        warmer: Warmer | None = None,
    ) -> None:
        """`halt` is the event on which `server` gives up waiting. Without a meter the capacity stays as it is given, without
        a warmer nothing is made ready ahead.
        """
        self._server = server
        self._runner = runner
        self._capacity = capacity
        self._meter = meter
        self._warmer = warmer
        self._halt = halt
        self._attempts = Attempts(server, runner, cache, halt)
        self._look = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._gauge = Gauge(runner.measure, meter.use_of if meter else lambda _: Use(), self._look_at_node)
        self._relay = Relay(server, self._attempts.find_box, halt)

    def start(self) -> None:
        """Adopt the boxes on disk and begin to talk to the server. Does not wait for it."""
        self._attempts.adopt()
        self._heart.start()
        self._relay.start()
        self._gauge.start()
        if self._warmer is not None:
            self._warmer.start()

    def end_all(self) -> None:
        """Instead of `start`: end and remove every box on disk, because nobody waits for any; returns when they are gone."""
        self._attempts.adopt()
        self._abandon()
        self._attempts.wait(ENDING)
        self._runner.close()
        self._server.close()

    def take(self, run_id: int, token: str) -> None:
        """Begin one attempt. The same one a second time is ignored."""
        self._attempts.take(run_id, token)

    def look(self) -> None:
        """Ask the server now whether something is to stop."""
        self._look.set()

    def leave(self) -> None:
        """Say goodbye. Boxes go on, and the next worker on this node adopts them. A second time does nothing."""
        if self._halt.is_set():
            return
        self._halt.set()
        self._look.set()
        if self._heart.is_alive():
            self._heart.join(PARTING)  # a heartbeat after the goodbye would take it back
        with contextlib.suppress(ServerError):
            self._server.goodbye()
        self._gauge.stop()
        self._attempts.leave()
        self._runner.close()
        self._attempts.wait(PARTING)
        self._server.close()

    def boxes(self) -> list[BoxId]:
        """The attempts that are here."""
        return sorted(box.id for box in self._attempts.boxes())

    def _beat(self) -> None:
        """The heartbeat's thread. As long as it goes on the leases of all that runs here are renewed, so nothing ends it."""
        pause = self._begin()
        while pause is not None:
            self._look.wait(pause)
            self._look.clear()
            if self._halt.is_set():
                return
            try:
                self._obey()
            except ServerAway:
                continue
            except Leaving:
                return
            except Exception:
                log.exception("heartbeat_failed")

    def _begin(self) -> float | None:
        """Say hello and go on with the boxes that were found; seconds between two heartbeats. None: there are to be none."""
        answer = self._say_hello()
        if answer is None:
            if not self._halt.is_set():
                self._abandon()
            return None
        if answer.get("advice"):
            log.warning("versions_differ", said=answer["advice"])
        self._drop(answer.get("drop", []))
        self._attempts.resume()
        return float(answer.get("heartbeat", FIRST_HEARTBEAT))

    def _abandon(self) -> None:
        """This machine is no node any more, and with it its attempts are over: a silent program would never be told."""
        self._drop([[box.run_id, box.attempt] for box in self.boxes()])
        self._attempts.resume()

    def _say_hello(self) -> dict[str, Any] | None:
        """What the server answers; None: the worker leaves, or is no node any more."""
        while not self._halt.is_set():
            try:
                return self._server.hello(self._capacity, self.boxes())
            except Leaving:
                break
            except AttemptOver as error:
                log.error("node_removed", said=str(error))
                break
            except Exception as error:
                faulty = not isinstance(error, ServerError)
                log.error(
                    "hello_refused",
                    said=str(error),
                    version=self._capacity.version,
                    again_in=AFTER_REFUSAL,
                    exc_info=faulty,
                )
                self._halt.wait(AFTER_REFUSAL)
        return None

    def _obey(self) -> None:
        change = self._find_change()
        try:
            answer = self._server.heartbeat(self.boxes(), self._measure_use(), change)
        except ServerAway:
            raise
        except AttemptOver as error:
            log.error("node_removed", said=str(error))
            self._abandon()
            return
        except ServerError as error:
            log.error("heartbeat_refused", error=str(error))
            return
        self._capacity = change or self._capacity  # only what the server has heard is told no more
        self._drop(answer.get("drop", []))
        for run_id, attempt, why in answer.get("stop", []):
            self._attempts.have(BoxId(run_id, attempt), Run.stop, why=why)

    def _measure_use(self) -> dict[BoxId, Use]:
        """As it was at the last heartbeat, which asked to look again."""
        boxes = self._attempts.boxes()
        found = {box.id: self._gauge.use_of(box.id) for box in boxes}
        self._gauge.ask(boxes)
        return {box: use for box, use in found.items() if use != Use()}

    def _look_at_node(self) -> Capacity:
        """What the node offers now: a GPU may be lost or have come back, an image be here or gone."""
        gpus = self._capacity.gpus if self._meter is None else tuple(self._meter.gpus())
        return dataclasses.replace(self._capacity, gpus=gpus, images=self._runner.images, holds=self._runner.holds)

    def _find_change(self) -> Capacity | None:
        """What the node offers, when the server was told otherwise."""
        now = self._gauge.offer
        if now is None or now == self._capacity:
            return None
        log.info("offer_changed", gpus=len(now.gpus), images=now.images, holds=len(now.holds))
        return now

    def _drop(self, boxes: list[list[int]]) -> None:
        for run_id, attempt in boxes:
            self._attempts.have(BoxId(run_id, attempt), Run.abandon)
