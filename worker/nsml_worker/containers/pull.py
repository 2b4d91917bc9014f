"""Fetches an image from its registry: one line of progress at a time, and the registry's own word when it fails."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker.auth
import docker.errors
import docker.utils
import requests
import structlog

from nsml_worker.containers.engine import Engine, explain
from nsml_worker.errors import EngineFailed, ImageMissing, PreparationStopped
from nsml_worker.runner import Tell

CONNECT = 30.0  # seconds until the engine takes a request
SILENCE = 180.0  # seconds without a word of progress after which a pull is given up
TRIES = 3  # of a registry that cannot be reached or has a fault of its own
PAUSE = 2.0  # seconds before the second try, and twice as many before each next one
LOOK = 0.2  # seconds between two looks at whether the run was stopped
# Said by engines about a registry that may do better in a moment.
_PASSING = (
    "connection refused", "connection reset", "timeout", "timed out", "eof", "temporary failure", "server misbehaving",
    "500 internal", "502 bad gateway", "503 service", "504 gateway", "toomanyrequests",
)  # fmt: skip
_ENGINE_FULL = "no space left on device"
_DONE = ("Pull complete", "Already exists")

log = structlog.get_logger()


@dataclass
class Layer:
    """What is known of one layer: bytes that have come, bytes in all (None: not known yet)."""

    came: int = 0
    size: int | None = None
    done: bool = False


@dataclass
class Progress:
    """The engine's many lines about a pull, folded into one."""

    reference: str
    layers: dict[str, Layer] = field(default_factory=dict)

    def add(self, line: Mapping[str, Any]) -> None:
        """Take one line of the engine's answer."""
        status, name = str(line.get("status", "")), str(line.get("id", ""))
        if status == "Pulling fs layer" or status in _DONE:
            layer = self.layers.setdefault(name, Layer())
            layer.done = status in _DONE
        layer = self.layers.get(name, Layer())
        detail = line.get("progressDetail") or {}
        if status == "Downloading" and detail.get("total", 0) > 0:
            layer.came, layer.size = int(detail.get("current", 0)), int(detail["total"])
        if status in ("Download complete", *_DONE):
            layer.size = layer.size or 0
            layer.came = layer.size

    @property
    def size(self) -> int:
        """Bytes to fetch, as far as they are known."""
        return sum(layer.size or 0 for layer in self.layers.values())

    @property
    def text(self) -> str:
        """ "Pulling X: 3 of 7 layers, 120 of 480 MB"."""
        if not self.layers:
            return f"Pulling {self.reference}"
        done = sum(layer.done for layer in self.layers.values())
        came = sum(layer.came for layer in self.layers.values())
        is_known = all(layer.size is not None or layer.done for layer in self.layers.values())
        text = f"Pulling {self.reference}: {done} of {len(self.layers)} layers"
        if is_known and came == self.size:
            return text if done == len(self.layers) else f"{text}, unpacking"
        so_far = f"{came / 1e6:,.0f}"
        return f"{text}, {so_far} of {self.size / 1e6:,.0f} MB" if is_known else f"{text}, {so_far} MB so far"


def pull(
    engine: Engine, reference: str, credentials: Path | None, limit: int, tell: Tell, stop: threading.Event
) -> None:
    """Have the engine fetch an image.

    Args:
        credentials: an operator's config.json of Docker; read anew for each pull, so that it may be exchanged.
        limit: bytes; more than so many are not fetched.
        tell: is given the progress; it paces itself.

    Raises:
        ImageMissing: with what the registry said.
        EngineFailed: the engine's own fault.
        PreparationStopped: the run was.
    """
    said = ""
    for attempt in range(TRIES):
        if attempt:
            tell(f"Pulling {reference} again: {said}")
            if stop.wait(PAUSE * 2 ** (attempt - 1)):
                break
        said = _Pull(engine, reference, find_login(reference, credentials), limit).follow(tell, stop)
        if not said:
            return
        if _ENGINE_FULL in said.lower():
            raise EngineFailed(f"The disk for images is full: {said}")
        if not any(sign in said.lower() for sign in _PASSING):
            break
    if stop.is_set():
        raise PreparationStopped("Stopped while its image was being pulled.")
    raise ImageMissing(f"{reference} cannot be pulled: {said.rstrip('.')}")


def find_login(reference: str, credentials: Path | None) -> dict[str, Any]:
    """What the operator's file says about the registry of a reference; empty when that is nothing.

    Raises:
        EngineFailed: the file is not what Docker writes.
    """
    if credentials is None:
        return {}
    repository, _ = docker.utils.parse_repository_tag(reference)
    try:
        registry, _ = docker.auth.resolve_repository_name(repository)
        known = docker.auth.load_config(config_dict=json.loads(credentials.read_bytes()))
        return dict(known.resolve_authconfig(registry) or {})
    except (OSError, ValueError, AttributeError, docker.errors.DockerException) as error:
        raise EngineFailed(f"The file that NSML_REGISTRY_AUTH names cannot be used: {error}") from error


def describe_bound(limit: int) -> str:
    """What an image is that takes more than so many bytes."""
    return f"larger than the {limit / 1e9:,.1f} GB that this machine keeps for images"


class _Pull:
    """One request to the engine, read by a thread of its own: whoever waits for it can leave at once."""

    def __init__(self, engine: Engine, reference: str, login: Mapping[str, Any], limit: int) -> None:
        self._engine = engine
        self._reference = reference
        self._login = dict(login)
        self._limit = limit
        self._progress = Progress(reference)
        self._left = threading.Event()
        self._over = threading.Event()
        self._said = ""

    def follow(self, tell: Tell, stop: threading.Event) -> str:
        """What went wrong; empty when the image is here, or `stop` was set."""
        thread = threading.Thread(target=self._go, name=f"pull {self._reference}", daemon=True)
        thread.start()
        try:
            while not self._over.wait(LOOK):
                if stop.is_set():
                    return "stopped"
                tell(self._progress.text)
        finally:
            self._left.set()
        return self._said

    def _go(self) -> None:
        try:
            for line in self._lines():
                self._take(line)
                if self._said or self._left.is_set():
                    return
        except (requests.RequestException, docker.errors.DockerException, ValueError, OSError) as error:
            is_silent = isinstance(error, requests.Timeout) or "Read timed out" in str(error)
            self._said = f"nothing has come for {SILENCE:g} seconds" if is_silent else explain(error)
        finally:
            self._over.set()

    def _take(self, line: Mapping[str, Any]) -> None:
        if line.get("error"):
            self._said = " ".join(str(line["error"]).split())
            return
        self._progress.add(line)
        if self._progress.size > self._limit:
            self._said = f"it is {describe_bound(self._limit)}"

    def _lines(self) -> Iterator[dict[str, Any]]:
        """The engine's answer. Leaving it early ends the pull: the engine notices that nobody reads."""
        api = self._engine.api
        repository, tag = docker.utils.parse_repository_tag(self._reference)
        with api.post(
            f"{api.base_url}/v{api.api_version}/images/create",
            params={"fromImage": repository, "tag": tag or "latest"},
            headers={"X-Registry-Auth": docker.auth.encode_header(self._login).decode()},
            stream=True,
            timeout=(CONNECT, SILENCE),
        ) as response:
            for raw in response.iter_lines():
                line = json.loads(raw) if raw else {}
                if response.status_code >= requests.codes.bad_request:
                    line = {"error": line.get("message", f"the engine answered {response.status_code}")}
                yield line
