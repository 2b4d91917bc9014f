"""The node's part in the conversation with the server: which boxes are here, which are to end, which are taken on."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from dataclasses import dataclass
from typing import Any

import structlog

from nsml_worker.box import Box, BoxId
from nsml_worker.capacity import Meter
from nsml_worker.console import Relay
from nsml_worker.contract import Capacity, Use
from nsml_worker.errors import AttemptOver, Leaving, ServerAway, ServerError
from nsml_worker.gauge import Gauge
from nsml_worker.materialise import BlobCache
from nsml_worker.run import Run
from nsml_worker.runner import Runner
from nsml_worker.server_api import NodeApi, RunApi
from nsml_worker.warming import Warmer

FIRST_HEARTBEAT = 5.0  # seconds between two heartbeats until the server says otherwise
AFTER_REFUSAL = 30.0  # seconds until a server that said no is asked again: an operator may have updated one of the two
PARTING = 2.0  # seconds to wait for threads that are busy when the worker leaves

log = structlog.get_logger()


@dataclass
class _Taken:
    """A run's thread. `run` is None until the server has answered the claim."""

    token: str
    halt: threading.Event
    thread: threading.Thread | None = None
    run: Run | None = None


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
        self._cache = cache
        self._capacity = capacity
        self._meter = meter
        self._warmer = warmer
        self._halt = halt
        self._lock = threading.Lock()
        self._taken: dict[str, _Taken] = {}  # by token: one attempt has one
        self._look = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._gauge = Gauge(runner.measure)
        self._relay = Relay(server, self._find_box, halt)

    def start(self) -> None:
        """Adopt the boxes on disk and begin to talk to the server. Does not wait for it."""
        for box in self._runner.reattach():
            log.info("box_found", box=str(box.id))
            halt = threading.Event()
            self._taken[box.token] = _Taken(box.token, halt, run=self._make_run(box, halt))
        self._heart.start()
        self._relay.start()
        self._gauge.start()
        if self._warmer is not None:
            self._warmer.start()

    def take(self, run_id: int, token: str) -> None:
        """Begin one attempt. The same one a second time is ignored."""
        with self._lock:
            if token in self._taken or self._halt.is_set():
                return
            taken = self._taken[token] = _Taken(token, threading.Event())
            taken.thread = threading.Thread(target=self._claim, args=(taken, run_id), name=f"run {run_id}", daemon=True)
        taken.thread.start()

    def look(self) -> None:
        """Ask the server now whether something is to stop."""
        self._look.set()

    def leave(self) -> None:
        """Say goodbye. Boxes go on, and the next worker on this node adopts them. A second time does nothing."""
        if self._halt.is_set():
            return
        with contextlib.suppress(ServerError):
            self._server.goodbye()
        self._halt.set()
        self._look.set()
        self._gauge.stop()
        with self._lock:
            taken = list(self._taken.values())
        for one in taken:
            one.halt.set()
            if one.run is not None:
                one.run.leave()
        self._runner.close()
        for thread in (self._heart, *(one.thread for one in taken)):
            if thread is not None and thread.is_alive():
                thread.join(PARTING)
        self._server.close()

    def boxes(self) -> list[BoxId]:
        """The attempts that are here."""
        with self._lock:
            return sorted(one.run.box.id for one in self._taken.values() if one.run is not None)

    def _beat(self) -> None:
        """The heartbeat's thread."""
        answer = self._say_hello()
        if answer is None:
            return
        if answer.get("advice"):
            log.warning("versions_differ", said=answer["advice"])
        self._drop(answer.get("drop", []))
        self._resume()
        pause = float(answer.get("heartbeat", FIRST_HEARTBEAT))
        while not self._halt.is_set():
            self._look.wait(pause)
            self._look.clear()
            with contextlib.suppress(ServerAway):
                self._obey()

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
            except ServerError as error:
                log.error("hello_refused", said=str(error), version=self._capacity.version, again_in=AFTER_REFUSAL)
                self._halt.wait(AFTER_REFUSAL)
        return None

    def _obey(self) -> None:
        try:
            answer = self._server.heartbeat(self.boxes(), self._measure_use(), self._find_change())
        except ServerAway:
            raise
        except AttemptOver as error:  # and with the node its attempts are over: a silent program would never be told
            log.error("node_removed", said=str(error))
            self._drop([[box.run_id, box.attempt] for box in self.boxes()])
            return
        except ServerError as error:
            log.error("heartbeat_refused", error=str(error))
            return
        self._drop(answer.get("drop", []))
        for run_id, attempt, why in answer.get("stop", []):
            run = self._find(BoxId(run_id, attempt))
            if run is not None:
                log.info("stopping", box=str(run.box.id), why=why)
                run.stop()

    def _measure_use(self) -> dict[BoxId, Use]:
        """Memory and processors as they were at the last heartbeat, which asked to look again; GPUs as they are now."""
        with self._lock:
            boxes = [one.run.box for one in self._taken.values() if one.run is not None]
        found = {box.id: self._add_gpus(self._gauge.use_of(box.id), box) for box in boxes}
        self._gauge.ask(boxes)
        return {box: use for box, use in found.items() if use != Use()}

    def _add_gpus(self, use: Use, box: Box) -> Use:
        if self._meter is None or not box.spec.limits.gpus:
            return use
        gpus = self._meter.use_of(box.spec.limits.gpus)
        return dataclasses.replace(use, gpu_utilisation=gpus.gpu_utilisation, gpu_memory=gpus.gpu_memory)

    def _find_change(self) -> Capacity | None:
        """What the node offers now, when that has changed: a GPU was lost or has come back, an image is here or gone."""
        before = self._capacity
        gpus = before.gpus if self._meter is None else tuple(self._meter.gpus())
        now = dataclasses.replace(before, gpus=gpus, images=self._runner.images, holds=self._runner.holds)
        if now == before:
            return None
        log.info("offer_changed", gpus=len(now.gpus), images=now.images, holds=len(now.holds))
        self._capacity = now
        return now

    def _drop(self, boxes: list[list[int]]) -> None:
        for run_id, attempt in boxes:
            run = self._find(BoxId(run_id, attempt))
            if run is not None:
                log.info("dropping", box=str(run.box.id))
                run.abandon()

    def _resume(self) -> None:
        """Go on with the boxes that were found. One that is to be dropped notices so at once."""
        with self._lock:
            found = [one for one in self._taken.values() if one.thread is None and one.run is not None]
            for one in found:
                one.thread = threading.Thread(target=self._carry, args=(one,), name="run adopted", daemon=True)
        for one in found:
            if one.thread is not None:
                one.thread.start()

    def _claim(self, taken: _Taken, run_id: int) -> None:
        """A run's thread."""
        try:
            spec = self._server.of_run(run_id, taken.token, taken.halt).claim()
            box = self._runner.find(spec, taken.token)
            box.create()
            run = self._make_run(box, taken.halt)
        except (AttemptOver, Leaving) as error:
            log.info("claim_lost", run=run_id, said=str(error))
            self._forget(taken)
        except Exception:
            log.exception("claim_failed", run=run_id)
            self._forget(taken)
        else:
            with self._lock:
                taken.run = run
            self._carry(taken)

    def _carry(self, taken: _Taken) -> None:
        try:
            if taken.run is not None:
                taken.run.go()
        except Exception:
            log.exception("run_failed", box=str(taken.run and taken.run.box.id))
        finally:
            self._forget(taken)

    def _make_run(self, box: Box, halt: threading.Event) -> Run:
        api: RunApi = self._server.of_run(box.spec.run_id, box.token, halt)
        return Run(box, self._runner, api, self._cache, halt)

    def _find(self, box: BoxId) -> Run | None:
        with self._lock:
            runs = [one.run for one in self._taken.values() if one.run is not None]
        return next((run for run in runs if run.box.id == box), None)

    def _find_box(self, box: BoxId) -> Box | None:
        run = self._find(box)
        return None if run is None else run.box

    def _forget(self, taken: _Taken) -> None:
        with self._lock:
            self._taken.pop(taken.token, None)
