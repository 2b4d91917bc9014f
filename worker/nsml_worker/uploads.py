"""Files a program left, sent to the server as blobs. They are named by what was read, not by what they are called."""

from __future__ import annotations

import os
from collections.abc import Callable

from blake3 import blake3

from nsml_worker import packs
from nsml_worker.contract import FileEntry
from nsml_worker.server_api import RunApi

CHUNK = 1 << 20
FEW = 64 << 10  # bytes: so few are sent without asking, and the server keeps once what it gets twice
Opener = Callable[[FileEntry], int]  # a descriptor of the file's bytes; the caller closes it


def hash_file(fd: int, limit: int) -> tuple[int, str]:
    """(bytes, BLAKE3) of an open file, read no further than one byte past `limit`."""
    digest = blake3()
    size = 0
    while size <= limit and (data := os.pread(fd, min(CHUNK, limit + 1 - size), size)):
        digest.update(data)
        size += len(data)
    return size, digest.hexdigest()


def upload(api: RunApi, entries: list[FileEntry], opener: Opener) -> None:
    """Send those files that the server does not have, small ones together.

    Raises:
        ServerRefused: among other things when a file is not any more what it was when it was hashed.
    """
    by_hash = {entry.hash: entry for entry in entries}
    is_little = sum(entry.size for entry in by_hash.values()) <= FEW
    missing = by_hash.keys() if is_little else api.find_missing(sorted(by_hash))
    batches, singles = packs.split(by_hash[name] for name in sorted(missing) if name in by_hash)
    for batch in batches:
        api.put_pack(packs.encode((entry.hash, _read(entry, opener)) for entry in batch))
    for entry in singles:
        with os.fdopen(opener(entry), "rb") as file:
            api.put_blob(entry.hash, file, entry.size)


def _read(entry: FileEntry, opener: Opener) -> bytes:
    fd = opener(entry)
    try:
        return os.pread(fd, entry.size, 0)
    finally:
        os.close(fd)
