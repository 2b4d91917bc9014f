"""The data folder: private, one platform's at a time, with the names of what lies in it."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from nsml_server.errors import FolderUnusable

_BROKER = "broker.sqlite"


class DataFolder:
    """An opened data folder. The lock is the process's own and vanishes with it, however it ends."""

    def __init__(self, path: Path) -> None:
        """Make the folder where there is none, and take its lock.

        Raises:
            FolderUnusable: it cannot be written, or another platform serves it; says where.
        """
        self.path = path.absolute()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # As root, boxes run as users of their own and have to reach their part below; all else here is private.
            self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise FolderUnusable(
                f"The data folder {self.path} cannot be used: {(error.strerror or str(error)).lower()}."
            ) from error
        self._take_lock()

    @property
    def broker_url(self) -> str:
        """Celery's broker: tables in a file of their own."""
        return f"sqla+sqlite:///{(self.path / _BROKER).as_posix()}"

    @property
    def worker(self) -> Path:
        """The worker's folder: boxes, its cache of blobs."""
        return self.path / "worker"

    @property
    def worker_log(self) -> Path:
        """What the worker says."""
        return self.path / "worker.log"

    @property
    def node_token(self) -> Path:
        """The file that holds the worker's token."""
        return self.path / "node-token"

    def renew_broker(self) -> None:
        """Begin with an empty broker: it is only a transport, and what it held is in the rows."""
        for path in self.path.glob(f"{_BROKER}*"):
            path.unlink()
        # Made here, since it will hold tokens: its other files take over who may read it.
        os.close(os.open(self.path / _BROKER, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def write_node_token(self, token: str) -> None:
        """Leave the worker its token."""
        write_private(self.node_token, token)

    def tell_address(self, url: str) -> None:
        """Say in the lock where we serve, for whoever tries to start here too."""
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, json.dumps({"url": url, "pid": os.getpid()}).encode(), 0)

    def close(self) -> None:
        """Let another platform have the folder."""
        os.ftruncate(self._lock, 0)
        os.close(self._lock)

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = self._read_other()
            os.close(self._lock)
            where = f"at {other['url']} (process {other['pid']})" if "url" in other else "on this machine"
            raise FolderUnusable(
                f"A platform serves {self.path} already, {where}.",
                hint="Use that one, stop it first, or choose another folder with --data.",
            ) from None

    def _read_other(self) -> dict[str, Any]:
        with suppress(ValueError):
            told = json.loads(os.pread(self._lock, 4096, 0))
            return told if isinstance(told, dict) and {"url", "pid"} <= told.keys() else {}
        return {}


def write_private(path: Path, text: str) -> None:
    """A file that only we can read, whole or not at all."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)
