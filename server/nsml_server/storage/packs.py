"""Many small files in one body: how packs travel, and how they rest.

4 bytes, big-endian: the length of the header; the header: JSON [[hash, size], …]; then the bytes, one file after the other.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from blake3 import blake3

from nsml_server.domain.names import is_hash
from nsml_server.errors import HashMismatch, Invalid, TooLarge

MAX_FILE = 256 * 2**10  # bytes; a larger file travels alone
MAX_PACK = 8 * 2**20  # bytes of files
MAX_FILES = 1000
MAX_HEADER = 128 * MAX_FILES  # bytes; an entry takes about 76
MAX_BODY = 4 + MAX_HEADER + MAX_PACK  # bytes of a whole pack: what a reader of a request has to allow

_LENGTH = struct.Struct(">I")


@dataclass(frozen=True)
class Packed:
    """One file of a pack. `offset` counts from the pack's first byte."""

    hash: str
    size: int
    offset: int


def frame(entries: Sequence[tuple[str, int]]) -> bytes:
    """The bytes before the files: for (hash, size) in the order in which the files follow."""
    header = json.dumps([list(entry) for entry in entries], separators=(",", ":")).encode("ascii")
    return _LENGTH.pack(len(header)) + header


def encode(files: Sequence[tuple[str, bytes]]) -> bytes:
    """A pack of (hash, bytes). The caller vouches for the hashes and keeps to the limits."""
    return b"".join([frame([(name, len(data)) for name, data in files]), *(data for _, data in files)])


def entries_of(pack: bytes) -> list[Packed]:
    """Where each file lies; the bytes are not hashed.

    Raises:
        Invalid: the framing is broken, or sizes and bytes do not agree.
        TooLarge: it holds more files or larger ones than a pack may.
    """
    header, start = _header(pack)
    entries = list(_lay_out(header, start))
    end = entries[-1].offset + entries[-1].size if entries else start
    if end != len(pack):
        raise Invalid(
            f"The pack announces {end} bytes and holds {len(pack)}.", hint="The upload was cut off: send it again."
        )
    return entries


def decode(pack: bytes) -> list[tuple[str, bytes]]:
    """The pack's files as (hash, bytes), each checked against its hash.

    Raises:
        Invalid, TooLarge: as entries_of.
        HashMismatch: a file is not what its hash says.
    """
    files = [(entry.hash, pack[entry.offset : entry.offset + entry.size]) for entry in entries_of(pack)]
    for name, data in files:
        actual = blake3(data).hexdigest()
        if actual != name:
            raise HashMismatch(name, actual)
    return files


def _header(pack: bytes) -> tuple[list[object], int]:
    if len(pack) < _LENGTH.size:
        raise _broken("it is shorter than its own length field")
    (length,) = _LENGTH.unpack_from(pack)
    start = _LENGTH.size + length
    if length > MAX_HEADER:
        raise TooLarge(f"The pack's header has {length} bytes and may have {MAX_HEADER}.", hint=_SPLIT)
    if len(pack) < start:
        raise _broken("it ends inside its header")
    try:
        header = json.loads(pack[_LENGTH.size : start])
    except (ValueError, RecursionError):
        raise _broken("its header is not JSON") from None
    if not isinstance(header, list):
        raise _broken("its header is not a list")
    if len(header) > MAX_FILES:
        raise TooLarge(f"The pack has {len(header)} files and may have {MAX_FILES}.", hint=_SPLIT)
    return header, start


def _lay_out(header: list[object], offset: int) -> Iterator[Packed]:
    seen: set[str] = set()
    begin = offset
    for item in header:
        name, size = _entry(item)
        if name in seen:
            raise _broken(f"it holds {name[:12]}… twice")
        if size > MAX_FILE or offset + size - begin > MAX_PACK:
            raise TooLarge(f"The file {name[:12]}… is too large for this pack.", hint=_SPLIT)
        seen.add(name)
        yield Packed(name, size, offset)
        offset += size


def _entry(item: object) -> tuple[str, int]:
    if isinstance(item, list) and len(item) == 2 and is_hash(item[0]) and type(item[1]) is int and item[1] >= 0:
        return item[0], item[1]
    raise _broken("an entry of its header is not [hash, size]")


_SPLIT = f"Send several packs, and files over {MAX_FILE // 2**10} KiB alone."


def _broken(why: str) -> Invalid:
    return Invalid(f"The pack cannot be read: {why}.", hint="Send it again.")
