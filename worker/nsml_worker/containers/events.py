"""Hears from the engine when a box has ended; knows whether the engine was there all the while."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import docker.errors
import requests
import structlog
from docker.types import CancellableStream

from nsml_worker.box import BoxId
from nsml_worker.containers.engine import BOX, LABEL_ATTEMPT, LABEL_RUN, Engine, explain

AGAIN = 1.0  # seconds until an engine that went away is asked again
CONNECT = 10.0  # seconds until an engine takes a request
ENDS = ("die", "destroy")

log = structlog.get_logger()


class Events:
    """One thread that listens. Whatever goes wrong with the engine, it asks again until closed."""

    def __init__(self, engine: Engine, ended: Callable[[BoxId], object], look: Callable[[], object]) -> None:
        """`ended` is called for each box of which the engine says so; `look` each time the engine is there (again), to find
        what was missed.
        """
        self._engine = engine
        self._ended = ended
        self._look = look
        self._halt = threading.Event()
        self._lock = threading.Lock()
        self._stream: Any = None
        self._since = 0.0
        self._thread = threading.Thread(target=self._go, name="docker events", daemon=True)

    @property
    def since(self) -> float:
        """Since when nothing was missed, in unix seconds; infinite while the engine is away."""
        return self._since or float("inf")

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening; returns when the thread has ended."""
        self._halt.set()
        with self._lock:
            if self._stream is not None:
                self._stream.close()
        self._thread.join()

    def _go(self) -> None:
        while not self._halt.is_set():
            try:
                self._listen()
            except (docker.errors.DockerException, requests.RequestException, OSError, ValueError, KeyError) as error:
                if not self._halt.is_set():
                    log.warning("engine_away", said=explain(error))
            except Exception:
                log.exception("events_failed")
            self._since = 0.0
            while not self._halt.wait(AGAIN) and not self._engine.answers():
                pass

    def _listen(self) -> None:
        """Follow one stream to its end. The engine repeats what happened since we began to ask."""
        api, began = self._engine.api, time.time()
        filters = {**self._engine.filters(BOX), "type": ["container"], "event": list(ENDS)}
        with api.get(
            f"{api.base_url}/v{api.api_version}/events",
            params={"since": int(began), "filters": json.dumps(filters)},
            stream=True,
            timeout=(CONNECT, None),
        ) as response:
            response.raise_for_status()
            self._keep(CancellableStream(response.iter_lines(), response))
            self._since = began
            self._look()
            for line in self._stream:
                box = read_box(json.loads(line)["Actor"]["Attributes"]) if line else None
                if box is not None:
                    self._ended(box)

    def _keep(self, stream: Any) -> None:
        """From here on `close` ends it."""
        with self._lock:
            self._stream = stream
            if self._halt.is_set():
                stream.close()


def read_box(labels: dict[str, str]) -> BoxId | None:
    """Which box a container is, by its labels."""
    try:
        return BoxId(int(labels[LABEL_RUN]), int(labels[LABEL_ATTEMPT]))
    except (KeyError, ValueError):
        return None
