"""Folders by value, and who has shown which bytes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import orjson
from blake3 import blake3
from sqlalchemy import select

from nsml_server.errors import NotFound
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.tables import Holding, Manifest
from nsml_server.storage.upserts import insert_missing
from nsml_worker.contract import FileEntry, Tree

_AT_ONCE = 500  # hashes in one IN (…)


def save(tx: WriteTransaction, tree: Tree) -> str:
    """Store a tree once; returns its name, the hash of its canonical text."""
    entries = sorted(tree.files, key=lambda entry: entry.path)
    text = orjson.dumps([[entry.path, entry.size, entry.hash, entry.mode] for entry in entries])
    name = blake3(text).hexdigest()
    insert_missing(tx, Manifest, [{"hash": name, "size": tree.size, "files": text}])
    return name


def load(tx: ReadTransaction, name: str) -> Tree:
    """The tree of this name."""
    manifest = tx.get(Manifest, name)
    if manifest is None:
        raise NotFound(f"The list of files {name[:12]}… is not here.")
    return Tree(tuple(FileEntry(*item) for item in orjson.loads(manifest.files)))


def held(tx: ReadTransaction, holder: str, hashes: Collection[str]) -> set[str]:
    """Those of the hashes whose bytes this holder has sent or made."""
    found: set[str] = set()
    for some in _portions(hashes):
        found.update(tx.scalars(select(Holding.hash).where(Holding.holder == holder, Holding.hash.in_(some))))
    return found


def hold(tx: WriteTransaction, holder: str, hashes: Iterable[str]) -> None:
    """Remember that this holder has the bytes."""
    insert_missing(tx, Holding, [{"holder": holder, "hash": item} for item in dict.fromkeys(hashes)])


def _portions(hashes: Collection[str]) -> Iterator[list[str]]:
    wanted = list(dict.fromkeys(hashes))
    yield from (wanted[start : start + _AT_ONCE] for start in range(0, len(wanted), _AT_ONCE))
