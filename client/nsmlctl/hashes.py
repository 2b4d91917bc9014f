"""Remembers the hash of each file of a folder, so that an unchanged file is not read again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

# A file changed so shortly before it was read may change again within the same tick of its clock, with the same size: its
# hash is not remembered.
SETTLED = 2_000_000_000  # nanoseconds

Key = list[int]


class HashCache:
    """Known hashes by path, size, time and inode; one file for each uploaded folder below `home`."""

    def __init__(self, home: Path, folder: Path, now: Callable[[], int] = time.time_ns) -> None:
        name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
        self._file, self._now = home / "hashes" / f"{name}.json", now
        self._known: dict[str, tuple[Key, str]] = {}
        self._seen: dict[str, tuple[Key, str]] = {}
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):  # a broken cache is an empty one
            content = json.loads(self._file.read_text(encoding="utf-8"))
            self._known = {str(path): (list(key), str(digest)) for path, (key, digest) in content.items()}

    def get(self, path: str, status: os.stat_result) -> str | None:
        """The hash, when nothing about the file changed."""
        found = self._known.get(path)
        if found is None or found[0] != _key(status):
            return None
        self._seen[path] = found
        return found[1]

    def put(self, path: str, status: os.stat_result, digest: str) -> None:
        """Remember a hash that was just computed."""
        if self._now() - status.st_mtime_ns > SETTLED:
            self._seen[path] = (_key(status), digest)

    def save(self) -> None:
        """Keeps what was seen this time; a folder that cannot be written costs only time."""
        if self._seen == self._known:
            return
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = self._file.with_suffix(f".{os.getpid()}")
            draft.write_text(json.dumps(self._seen), encoding="utf-8")
            draft.replace(self._file)

    def forget(self) -> None:
        """A remembered hash proved wrong: read everything next time."""
        self._file.unlink(missing_ok=True)


def _key(status: os.stat_result) -> Key:
    return [status.st_size, status.st_mtime_ns, status.st_ino]
