"""This node's Docker engine: a connection to it, the labels that say what is ours, and its errors in our words.

Nothing without our node's label is ever listed here, so nothing else can be touched.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker.api
import docker.errors
import docker.utils
import requests

from nsml_worker.errors import EngineFailed

LABEL_NODE, LABEL_FOLDER, LABEL_KIND = "nsml.node", "nsml.folder", "nsml.kind"
LABEL_RUN, LABEL_ATTEMPT = "nsml.run", "nsml.attempt"
# What things are, as their `nsml.kind` says: boxes of runs; throw-away boxes that look into an image; boxes that build an
# environment; the images these leave.
BOX, PROBE, BUILD, ENVIRONMENT = "box", "probe", "build", "environment"
TIMEOUT = 60.0  # seconds for one answer; pulls and builds stream, and each piece has as long
UNIX, USUAL_SOCKET = "unix://", "unix:///var/run/docker.sock"
HURRY = 5.0  # seconds for the answer to a ping
_MAX_SAID = 800  # characters of the engine's words


@dataclass(frozen=True)
class Engine:
    """A connection, for any number of threads. `api` is the SDK's low-level client: one request for each call.

    `node` and `folder` (the worker's data) together say whose a thing is: two platforms may share an engine, and each may call
    its node "local".
    """

    api: Any
    node: str
    folder: str
    way: Mapping[str, Any] = field(default_factory=dict)  # how another connection is made

    @classmethod
    def open(cls, environment: Mapping[str, str], node: str, folder: Path) -> Engine:
        """Connect as the docker command would: DOCKER_HOST and its siblings, else the usual socket.

        Raises:
            EngineFailed: no engine answers there.
        """
        with telling("The Docker engine does not answer"):
            settings = docker.utils.kwargs_from_env(environment=dict(environment))
            knock(settings)
            return cls(docker.api.APIClient(**settings, version="auto", timeout=TIMEOUT), node, str(folder), settings)

    def answers(self) -> bool:
        """Whether it takes a new connection. One that is shutting down ends its containers, takes none, and serves the old."""
        try:
            return knock(self.way) and bool(self.api.ping())
        except (docker.errors.DockerException, requests.RequestException, OSError):
            return False

    def close(self) -> None:
        """Let go of the connection."""
        self.api.close()

    def labels(self, kind: str, **more: str) -> dict[str, str]:
        """The labels of something we make."""
        return {LABEL_NODE: self.node, LABEL_FOLDER: self.folder, LABEL_KIND: kind, **more}

    def filters(self, kind: str, **more: str) -> dict[str, list[str]]:
        """What the engine is to list: ours, of this kind, with these labels."""
        return {"label": [f"{name}={value}" for name, value in self.labels(kind, **more).items()]}

    def containers(self, kind: str, **labels: str) -> list[dict[str, Any]]:
        """Our containers of a kind, running or not, as the engine lists them.

        Raises:
            EngineFailed: it does not answer.
        """
        with telling("The containers of this node cannot be listed"):
            found: list[dict[str, Any]] = self.api.containers(all=True, filters=self.filters(kind, **labels))
            return found

    def inspect(self, container: str) -> dict[str, Any] | None:
        """All the engine knows about a container; None when there is none.

        Raises:
            EngineFailed: it does not answer.
        """
        with telling("A container cannot be looked at"):
            try:
                found: dict[str, Any] = self.api.inspect_container(container)
            except docker.errors.NotFound:
                return None
            return found

    def wait(self, container: str, seconds: float) -> int | None:
        """The exit status of a container; None when it still runs after so many seconds.

        Raises:
            EngineFailed: the engine does not say.
        """
        with telling("A container cannot be waited for"):
            try:
                return int(self.api.wait(container, timeout=seconds)["StatusCode"])
            except (requests.exceptions.Timeout, requests.exceptions.ConnectionError) as error:
                if "timed out" not in str(error).lower():
                    raise
                return None

    def remove(self, container: str) -> None:
        """Take a container away, running or not, with its anonymous volumes. One that is gone stays gone.

        Raises:
            EngineFailed: the engine cannot.
        """
        with telling("A container cannot be removed"), contextlib.suppress(docker.errors.NotFound):
            try:
                self.api.remove_container(container, v=True, force=True)
            except docker.errors.APIError as error:
                if error.status_code != requests.codes.conflict:
                    raise
                self.api.wait(container, condition="removed", timeout=TIMEOUT)  # somebody else does it


def knock(way: Mapping[str, Any]) -> bool:
    """Whether an engine answers on a socket of this machine; any other way is taken for open. The SDK would not close the
    socket of a connection that is refused.

    Raises:
        OSError: nobody listens there.
    """
    host = str(way.get("base_url") or USUAL_SOCKET)
    if not host.startswith(UNIX):
        return True
    with socket.socket(socket.AF_UNIX) as opened:
        opened.settimeout(HURRY)
        opened.connect(host.removeprefix(UNIX))
        opened.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
        return b" 200 " in opened.recv(64)


@contextlib.contextmanager
def telling(what: str) -> Iterator[None]:
    """Turn whatever goes wrong between us and the engine into one sentence that ends with its own words.

    Raises:
        EngineFailed: `what`, and why.
    """
    try:
        yield
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        raise EngineFailed(f"{what}: {explain(error)}") from error


def explain(error: BaseException) -> str:
    """What the engine, or the way to it, gives as the reason: one line without its wrapping."""
    said = error.explanation if isinstance(error, docker.errors.APIError) else None
    if isinstance(said, bytes):
        said = said.decode("utf-8", "replace")
    lines = " ".join(str(said or error).split())
    return lines[:_MAX_SAID].rstrip(".") + "."
