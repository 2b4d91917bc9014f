"""The attempts that are on this node, each carried to its end by a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from nsml_worker.box import Box, BoxId
from nsml_worker.errors import AttemptOver, Leaving
from nsml_worker.materialise import BlobCache
from nsml_worker.run import Run
from nsml_worker.runner import Runner
from nsml_worker.server_api import NodeApi, RunApi

AFTER_REFUSAL = 30.0  # seconds until what was refused or failed is tried again: an operator may have seen to it

log = structlog.get_logger()


@dataclass
class _Taken:
    """A run's thread. `run` is None until the server has answered the claim."""

    token: str
    halt: threading.Event
    thread: threading.Thread | None = None
    run: Run | None = None


class Attempts:
    """Every method may be called by any thread."""

    def __init__(self, server: NodeApi, runner: Runner, cache: BlobCache, halt: threading.Event) -> None:
        """From `halt` on nothing is taken."""
        self._server = server
        self._runner = runner
        self._cache = cache
        self._halt = halt
        self._lock = threading.Lock()
        self._taken: dict[str, _Taken] = {}  # by token: one attempt has one

    def adopt(self) -> None:
        """Find what an earlier worker left; `resume` goes on with it."""
        for box in self._runner.reattach():
            log.info("box_found", box=str(box.id))
            halt = threading.Event()
            try:
                self._taken[box.token] = _Taken(box.token, halt, run=self._make_run(box, halt))
            except Exception:  # one that cannot be gone on with does not keep the others from it
                log.exception("box_not_adopted", box=str(box.id))

    def resume(self) -> None:
        """Go on with the boxes that were found. One that is to be dropped notices so at once."""
        with self._lock:
            for one in self._taken.values():
                if one.thread is None and one.run is not None:
                    one.thread = threading.Thread(target=self._carry, args=(one,), name="run adopted", daemon=True)
                    one.thread.start()

    def take(self, run_id: int, token: str) -> None:
        """Begin one attempt. The same one a second time is ignored."""
        with self._lock:
            if token in self._taken or self._halt.is_set():
                return
            taken = self._taken[token] = _Taken(token, threading.Event())
            taken.thread = threading.Thread(target=self._claim, args=(taken, run_id), name=f"run {run_id}", daemon=True)
        taken.thread.start()

    def boxes(self) -> list[Box]:
        """Those that are here."""
        return [run.box for run in self._runs()]

    def find_box(self, box: BoxId) -> Box | None:
        """None when it is not here."""
        run = self._find(box)
        return None if run is None else run.box

    def have(self, box: BoxId, act: Callable[[Run], None], **said: str) -> None:
        """Have a run do something, where it is here. What it meets with is nobody else's misfortune."""
        run = self._find(box)
        if run is None:
            return
        log.info(act.__name__, box=str(box), **said)
        try:
            act(run)
        except Exception:  # the server asks again
            log.exception("not_done", box=str(box), asked=act.__name__)

    def leave(self) -> None:
        """Stop following them all; the boxes go on."""
        for one in self._list():
            one.halt.set()
            if one.run is not None:
                one.run.leave()

    def wait(self, seconds: float) -> None:
        """Until the threads of those that are here have ended, but for each not longer than so many seconds."""
        for one in self._list():
            if one.thread is not None and one.thread.is_alive():
                one.thread.join(seconds)

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
        """See a box to its end. As long as it is here it is listed, so that its run is not placed again beside it."""
        while not self._try(taken) and not self._halt.is_set():
            (self._halt if taken.halt.is_set() else taken.halt).wait(AFTER_REFUSAL)
        self._forget(taken)

    def _try(self, taken: _Taken) -> bool:
        """Whether nothing is left to do for a run."""
        try:
            if taken.run is not None:
                taken.run.go()
        except Exception:
            log.exception("run_failed", box=str(taken.run and taken.run.box.id), again_in=AFTER_REFUSAL)
            return False
        return True

    def _make_run(self, box: Box, halt: threading.Event) -> Run:
        api: RunApi = self._server.of_run(box.spec.run_id, box.token, halt)
        return Run(box, self._runner, api, self._cache, halt)

    def _list(self) -> list[_Taken]:
        with self._lock:
            return list(self._taken.values())

    def _runs(self) -> list[Run]:
        return [one.run for one in self._list() if one.run is not None]

    def _find(self, box: BoxId) -> Run | None:
        return next((run for run in self._runs() if run.box.id == box), None)

    def _forget(self, taken: _Taken) -> None:
        with self._lock:
            self._taken.pop(taken.token, None)
