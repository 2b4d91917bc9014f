"""Many small files in one body: 4 bytes big-endian length, a JSON list of [hash, size], then the bytes in that order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from blake3 import blake3

from nsml_worker.contract import FileEntry
from nsml_worker.errors import BlobMismatch

SMALL = 256 * 1024  # bytes; larger files travel by themselves
MAX_BYTES = 8 * 2**20
MAX_FILES = 1000
_LENGTH = 4


def encode(blobs: Iterable[tuple[str, bytes]]) -> bytes:
    """One pack of (hash, bytes)."""
    held = list(blobs)
    header = json.dumps([[name, len(data)] for name, data in held]).encode()
    return b"".join((len(header).to_bytes(_LENGTH, "big"), header, *(data for _, data in held)))


def decode(pack: bytes) -> Iterator[tuple[str, bytes]]:
    """The (hash, bytes) of a pack, each checked.

    Raises:
        BlobMismatch: the pack is cut off, or bytes are not what their hash says.
    """
    start = _LENGTH + int.from_bytes(pack[:_LENGTH], "big")
    for name, size in json.loads(pack[_LENGTH:start]):
        data = pack[start : start + size]
        if blake3(data).hexdigest() != name:
            raise BlobMismatch(f"The server sent other bytes than {name}; ask the operator to check its storage.")
        yield name, data
        start += size


def split(entries: Iterable[FileEntry]) -> tuple[list[list[FileEntry]], list[FileEntry]]:
    """(packs, single files): how to move files, within the bounds of a pack."""
    packs: list[list[FileEntry]] = []
    singles: list[FileEntry] = []
    room = 0
    for entry in entries:
        if entry.size > SMALL:
            singles.append(entry)
            continue
        if not packs or entry.size > room or len(packs[-1]) >= MAX_FILES:
            packs.append([])
            room = MAX_BYTES
        packs[-1].append(entry)
        room -= entry.size
    return packs, singles
