"""Which pack holds which small file. The packs tell it themselves, so the index may be lost and is made anew."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from nsml_server.storage.packs import Packed

_BATCH = 500  # names in one question, below SQLite's limit on variables

_SCHEMA = """
CREATE TABLE IF NOT EXISTS packs (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS files (
    hash TEXT PRIMARY KEY, pack INTEGER NOT NULL REFERENCES packs, start INTEGER NOT NULL, size INTEGER NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Place:
    """Where a file rests: the pack's name, the offset in it, the size in bytes."""

    pack: str
    offset: int
    size: int


class PackIndex:
    """A SQLite file, safe from several threads and processes. It need not be durable: see the module."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False, timeout=30)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()

    def packs(self) -> set[str]:
        """Names of all packs that are listed."""
        with self._lock:
            return {name for (name,) in self._connection.execute("SELECT name FROM packs")}

    def add(self, pack: str, files: Sequence[Packed]) -> None:
        """Lists a pack and its files; a file that another pack holds keeps its place."""
        with self._lock, self._connection:
            self._connection.execute("INSERT OR IGNORE INTO packs (name) VALUES (?)", (pack,))
            (number,) = self._connection.execute("SELECT id FROM packs WHERE name = ?", (pack,)).fetchone()
            self._connection.executemany(
                "INSERT OR IGNORE INTO files (hash, pack, start, size) VALUES (?, ?, ?, ?)",
                [(file.hash, number, file.offset, file.size) for file in files],
            )

    def find(self, name: str) -> Place | None:
        """Where the file with this hash rests; None when no pack holds it."""
        with self._lock:
            row = self._connection.execute(
                "SELECT packs.name, start, size FROM files JOIN packs ON packs.id = pack WHERE hash = ?", (name,)
            ).fetchone()
        return Place(*row) if row else None

    def held(self, names: Iterable[str]) -> set[str]:
        """Those of the hashes that some pack holds."""
        found: set[str] = set()
        for batch in _batches(names, _BATCH):
            marks = ", ".join("?" * len(batch))
            with self._lock:
                rows = self._connection.execute(f"SELECT hash FROM files WHERE hash IN ({marks})", batch)  # noqa: S608 — only question marks
                found.update(name for (name,) in rows)
        return found


def _batches(names: Iterable[str], size: int) -> Iterator[list[str]]:
    iterator = iter(names)
    while batch := list(islice(iterator, size)):
        yield batch
