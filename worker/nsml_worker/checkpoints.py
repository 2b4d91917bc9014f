"""From a SAVE line of the journal to a checkpoint the server has."""

from __future__ import annotations

import queue
import threading
from pathlib import Path
from typing import Any, Self

import structlog

from nsml import _contract as sdk
from nsml_worker import untrusted
from nsml_worker.contract import EventKind, FileEntry, Tree
from nsml_worker.errors import AttemptOver, CheckpointRefused, Leaving, NsmlWorkerError, ServerRefused
from nsml_worker.event_log import EventLog
from nsml_worker.server_api import RunApi
from nsml_worker.uploads import hash_file, upload

MAX_FILES = 20_000
MAX_WHY = 500  # characters of the reason for which one is not taken
MAX_BYTES = 256 * 2**30  # a sparse file costs its maker nothing and us an hour of hashing

log = structlog.get_logger()


def read_checkpoint(home: Path, folder: object) -> Tree:
    """The files of a sealed checkpoint by name, size and hash.

    Raises:
        CheckpointRefused: `folder` is not the name of a sealed one, or it holds links, devices, or too much.
    """
    if not isinstance(folder, str) or folder.startswith(sdk.UNSEALED):
        raise CheckpointRefused(f"its folder {folder!r} is not a finished one")
    try:
        with untrusted.open_folder(home, sdk.CHECKPOINTS, folder) as root:
            paths = list(untrusted.walk(root, MAX_FILES))
        return _hash_all(home, [_path_of(folder, path) for path in sorted(paths)], skip=len(_path_of(folder, "")))
    except OSError as error:
        raise CheckpointRefused(f"its folder {folder!r} cannot be read: {error.strerror or error}") from error


class CheckpointSender:
    """Uploads checkpoints in a thread of its own, so that logs do not wait for them. As a context it ends with that thread."""

    def __init__(self, api: RunApi, home: Path, events: EventLog) -> None:
        self._api = api
        self._home = home
        self._events = events
        self._told = {event.data.get("folder") for event in events.events if event.kind is EventKind.CHECKPOINT}
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._failure: NsmlWorkerError | None = None

    def add(self, line: dict[str, Any]) -> None:
        """Take note of a SAVE line. One that was told before is not told again."""
        folder = line.get("dir")
        if not isinstance(folder, str) or folder in self._told:
            return
        self._told.add(folder)
        self._lines.put(line)
        if self._thread is None:
            self._thread = threading.Thread(target=self._send_all, name="checkpoints", daemon=True)
            self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: object) -> None:
        """Wait until all are sent: then nobody looks into the box any more, which may be removed.

        Raises:
            AttemptOver, Leaving: sending ended for that reason, and whoever followed the box has not noticed.
        """
        if self._thread is not None:
            self._lines.put(None)
            self._thread.join()
        if self._failure is not None and kind is None:
            raise self._failure

    def _send_all(self) -> None:
        try:
            while (line := self._lines.get()) is not None:
                self._try(line)
        except (AttemptOver, Leaving) as error:
            self._failure = error

    def _try(self, line: dict[str, Any]) -> None:
        """One checkpoint that cannot be sent does not hold up the next."""
        try:
            self._send(line)
        except (AttemptOver, Leaving):
            raise
        except (CheckpointRefused, ServerRefused, OSError) as error:
            log.warning("checkpoint_refused", folder=line["dir"], error=str(error))
            self._tell_refusal(line, str(error))
        except Exception:
            log.exception("checkpoint_failed", folder=line["dir"])
            self._tell_refusal(line, "the platform failed to read it")

    def _tell_refusal(self, line: dict[str, Any], why: str) -> None:
        """Its owner is to know; a server that does not take that either is told again with the next fact."""
        told = {"name": str(line.get("name"))[: sdk.MAX_CHECKPOINT_NAME], "refused": why[:MAX_WHY]}
        try:
            self._events.tell(EventKind.CHECKPOINT, {**told, "folder": line["dir"]})
        except (ServerRefused, OSError) as error:
            log.error("refusal_not_told", folder=line["dir"], error=str(error))

    def _send(self, line: dict[str, Any]) -> None:
        name, summary, saved_at = line.get("name"), line.get("summary"), line.get("t")
        if not isinstance(name, str) or not 0 < len(name) <= sdk.MAX_CHECKPOINT_NAME:
            raise CheckpointRefused(f"a name is text of 1 to {sdk.MAX_CHECKPOINT_NAME} characters")
        tree = read_checkpoint(self._home, line["dir"])
        folder = line["dir"]
        upload(self._api, list(tree.files), lambda entry: untrusted.open_path(self._home, _path_of(folder, entry.path)))
        data = {
            "name": name,
            "tree": tree.to_dict(),
            "summary": summary if isinstance(summary, dict) else {},
            "saved_at": float(saved_at) if isinstance(saved_at, (int, float)) else 0.0,
            "folder": folder,
        }
        self._events.tell(EventKind.CHECKPOINT, data)


def _path_of(folder: str, path: str) -> str:
    """Below the home, so that every folder on the way is opened without following a link."""
    return f"{sdk.CHECKPOINTS}/{folder}/{path}"


def _hash_all(home: Path, paths: list[str], skip: int) -> Tree:
    entries: list[FileEntry] = []
    room = MAX_BYTES
    for path in paths:
        with open(untrusted.open_path(home, path), "rb", buffering=0) as file:  # noqa: PTH123  a descriptor
            size, digest = hash_file(file.fileno(), room)
        room -= size
        if room < 0:
            raise CheckpointRefused(f"it is larger than {MAX_BYTES >> 30} GiB")
        entries.append(FileEntry(path[skip:], size, digest))
    return Tree(tuple(entries))
