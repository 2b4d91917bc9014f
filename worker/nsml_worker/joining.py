"""`python -m nsml_worker.joining`, what `nsmlctl worker` becomes: this machine adds itself to a platform and serves it.

A join token is exchanged, once, for the machine's own token, which rests in the data folder; later starts need the folder only.
Where the queue is, the server says at each start.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx2

from nsml_worker.calls import Calls
from nsml_worker.errors import AttemptOver, NsmlWorkerError, SettingsInvalid
from nsml_worker.server_api import TIMEOUT

DATA = "nsml-worker"
NO_QUEUE = "none://"  # of a machine that is to be told nothing any more
_FILE, _TOKEN_FILE = "node.json", "node-token"


@dataclass(frozen=True)
class Membership:
    """Whose node this is, under which name."""

    server_url: str
    node: str


class Door:
    """The server, as a machine sees it that is not its node yet, or comes back."""

    def __init__(self, client: httpx2.Client, stop: threading.Event) -> None:
        self._client, self._stop = client, stop

    def join(self, token: str, name: str) -> dict[str, Any]:
        """{"node", "token", "broker_url"}; waits for the server. Raises SettingsInvalid with its reason when it says no."""
        try:
            return self._calls(token).post("/nodes", json={"name": name})
        except AttemptOver as error:
            raise SettingsInvalid(f"{error} Make a new join token on the platform: `nsmlctl node add`.") from error

    def ask(self, token: str, name: str, *, patient: bool = True) -> dict[str, Any]:
        """{"node", "broker_url", "alive"}. Raises AttemptOver when the node was removed."""
        calls, path = self._calls(token), f"/nodes/{name}"
        return calls.get(path) if patient else calls.once("GET", path)

    def _calls(self, token: str) -> Calls:
        return Calls(self._client, token, self._stop)


class NodeFolder:
    """What a worker keeps of its membership: a name and, in a file of its own, a token."""

    def __init__(self, data: Path) -> None:
        self.data = data.absolute()
        self.token_file = self.data / _TOKEN_FILE

    def read(self) -> Membership | None:
        """None: this folder belongs to no platform yet."""
        try:
            return Membership(**json.loads((self.data / _FILE).read_text()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise SettingsInvalid(f"{self.data / _FILE} cannot be read: {error}. Remove it and join again.") from error

    def write(self, membership: Membership, token: str) -> None:
        """The token first: a name without one would be of no use."""
        self.data.mkdir(mode=0o711, parents=True, exist_ok=True)
        _write_private(self.token_file, token)
        _write_private(self.data / _FILE, json.dumps(asdict(membership)))

    def read_token(self) -> str:
        """Empty when there is none."""
        return self.token_file.read_text().strip() if self.token_file.exists() else ""


def main(words: Sequence[str] | None = None) -> int:
    """Join where that is still to be done, then serve; returns the exit code."""
    try:
        options = read_options(words, os.environ)
        folder = NodeFolder(options.data)
        if options.check:
            return check(folder)
        environment = enter(folder, options)
    except NsmlWorkerError as error:
        print(f"nsmlctl worker: {error}", file=sys.stderr)
        return error.exit_code
    from nsml_worker.__main__ import serve  # a check, which is done all the time, does without the rest of the worker

    return serve(complete(os.environ, environment))


def complete(environment: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """All variables of the worker. A platform that machines join may be open to strangers: unless somebody has chosen how
    programs run here, an engine that is here is used, or the worker does not start.
    """
    return {**environment, "NSML_RUNNER": environment.get("NSML_RUNNER") or "engine", **own}


def read_options(words: Sequence[str] | None, environment: Mapping[str, str]) -> argparse.Namespace:
    """What was typed. `join` is the token itself. Raises SettingsInvalid when its file cannot be read."""
    parser = argparse.ArgumentParser(prog="nsmlctl worker", description="Add this machine to a platform and serve it.")
    parser.add_argument("--server", help="address of the platform")
    parser.add_argument("--join", help="a join token, from `nsmlctl node add`; needed once")
    parser.add_argument("--join-file", type=Path, help="a file that holds it")
    parser.add_argument("--name", help="what this machine is called (default: its host name)")
    data = Path(environment.get("NSML_WORKER_DATA") or DATA)
    parser.add_argument("--data", type=Path, default=data, help=f"boxes lie in this folder (default: {DATA})")
    parser.add_argument("--check", action="store_true", help="say whether the platform hears of this machine, and end")
    options = parser.parse_args(words)
    options.name = options.name or environment.get("NSML_NODE") or socket.gethostname().partition(".")[0]
    if options.join_file is not None:
        try:
            options.join = options.join_file.read_text().strip()
        except OSError as error:
            raise SettingsInvalid(f"The join token cannot be read: {error}. Let --join-file name its file.") from error
    return options


def enter(folder: NodeFolder, options: argparse.Namespace) -> dict[str, str]:
    """The variables with which the worker is started. Raises SettingsInvalid when this machine is no node of any platform."""
    known = folder.read()
    url = str(options.server or (known.server_url if known else "")).rstrip("/")
    if not url:
        raise SettingsInvalid(f"{folder.data} belongs to no platform yet; say which: --server URL --join TOKEN.")
    with _connect(url) as client:
        door = Door(client, threading.Event())
        answer = _return(folder, door, known)
        if answer is None and not options.join:
            # Another platform's server does not know us either: then ours may still wait for them.
            if known is not None and known.server_url == url and folder.read_token():
                end_boxes(complete(os.environ, _describe(folder, url, known.node, NO_QUEUE)))
            raise SettingsInvalid(
                f"{url} does not know this machine; make a token there with `nsmlctl node add`: --join TOKEN."
            )
        answer = answer or _join(folder, door, url, options)
    return _describe(folder, url, str(answer["node"]), str(answer["broker_url"]))


def end_boxes(environment: Mapping[str, str]) -> None:
    """End the programs of a machine that is no node any more: nobody waits for them, and nobody else would ever."""
    from nsml_worker.bootstrap import has_boxes, make_agent
    from nsml_worker.settings import Settings

    settings = Settings.read(environment)
    if has_boxes(settings.data):
        make_agent(settings).end_all()


def _describe(folder: NodeFolder, url: str, node: str, broker_url: str) -> dict[str, str]:
    return {
        "NSML_SERVER_URL": url,
        "NSML_NODE": node,
        "NSML_NODE_TOKEN_FILE": str(folder.token_file),
        "NSML_BROKER_URL": broker_url,
        "NSML_WORKER_DATA": str(folder.data),
    }


def check(folder: NodeFolder) -> int:
    """0 when the server has heard of this node within a lease."""
    known = folder.read()
    if known is None:
        raise SettingsInvalid(f"{folder.data} belongs to no platform yet.")
    with _connect(known.server_url) as client:
        answer = Door(client, threading.Event()).ask(folder.read_token(), known.node, patient=False)
    print(f"{known.node} at {known.server_url} is {'alive' if answer['alive'] else 'not heard of'}")
    return 0 if answer["alive"] else 1


def _return(folder: NodeFolder, door: Door, known: Membership | None) -> dict[str, Any] | None:
    token = folder.read_token()
    if known is None or not token:
        return None
    try:
        return door.ask(token, known.node)
    except AttemptOver:  # removed, or the platform is another one: only a join token helps
        return None


def _join(folder: NodeFolder, door: Door, url: str, options: argparse.Namespace) -> dict[str, Any]:
    answer = door.join(options.join, options.name)
    folder.write(Membership(url, str(answer["node"])), str(answer["token"]))
    return answer


def _connect(url: str) -> httpx2.Client:
    return httpx2.Client(base_url=f"{url}/agent/v1", timeout=TIMEOUT)


def _write_private(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    part.rename(path)


if __name__ == "__main__":
    sys.exit(main())
