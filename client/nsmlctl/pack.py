"""How files travel: small ones many at a time in packs, big ones singly. Deciding is pure; `PackPlan` is the result."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from nsmlctl.errors import CannotUpload
from nsmlctl.manifest import Manifest, ManifestEntry, changed, open_source

SMALL = 256 * 1024  # bytes; a bigger file travels singly
MAX_PACK_BYTES = 8 * 1024 * 1024
MAX_PACK_FILES = 1000


@dataclass(frozen=True)
class PackPlan:
    """What is to be sent, each hash once."""

    packs: tuple[tuple[ManifestEntry, ...], ...]
    singles: tuple[ManifestEntry, ...]

    @property
    def size(self) -> int:
        """Bytes of all files to send."""
        return sum(entry.size for pack in (*self.packs, self.singles) for entry in pack)


def plan_packs(manifest: Manifest, missing: Iterable[str]) -> PackPlan:
    """Only what the server lacks."""
    wanted = set(missing)
    lacking = {entry.hash: entry for entry in manifest.entries if entry.hash in wanted}
    packs: list[list[ManifestEntry]] = []
    room = 0
    for entry in (entry for entry in lacking.values() if entry.size <= SMALL):
        if not packs or room < entry.size or len(packs[-1]) >= MAX_PACK_FILES:
            packs.append([])
            room = MAX_PACK_BYTES
        packs[-1].append(entry)
        room -= entry.size
    singles = tuple(entry for entry in lacking.values() if entry.size > SMALL)
    return PackPlan(tuple(tuple(pack) for pack in packs), singles)


def build_pack(entries: Iterable[ManifestEntry]) -> bytes:
    """4 bytes of header length, the header [[hash, size], ...], then the bytes one after the other.

    Raises:
        CannotUpload: a file is no longer what was hashed.
    """
    entries = tuple(entries)
    header = json.dumps([[entry.hash, entry.size] for entry in entries]).encode()
    return b"".join([struct.pack(">I", len(header)), header, *map(read_whole, entries)])


def read_whole(entry: ManifestEntry) -> bytes:
    """The bytes of a small file, checked against its hash."""
    from blake3 import blake3

    with open_source(entry.source, entry.path) as stream:
        content = stream.read(entry.size + 1)
    if blake3(content).hexdigest() != entry.hash:
        raise changed(entry.path)
    return content


def check_limits(manifest: Manifest, limits: dict[str, int | None], name: str) -> None:
    """Tells before the upload what the server would refuse after it. `name` is what is uploaded, for the sentence.

    Raises:
        CannotUpload: too many files, a file too large, or all of them together.
    """
    hint = "List what is not needed in .nsmlignore."
    max_files, max_file, max_bytes = (limits.get(key) for key in ("upload_files", "file_bytes", "upload_bytes"))
    if max_files is not None and len(manifest.entries) > max_files:
        raise CannotUpload(f"{name} has {len(manifest.entries):,} files; this platform takes {max_files:,}.", hint)
    largest = sorted(manifest.entries, key=lambda entry: -entry.size)[:3]
    if max_file is not None and largest and largest[0].size > max_file:
        worst = largest[0]
        raise CannotUpload(f"'{worst.path}' has {worst.size:,} bytes; this platform takes {max_file:,} a file.", hint)
    if max_bytes is not None and manifest.size > max_bytes:
        names = ", ".join(f"{entry.path} ({entry.size:,})" for entry in largest)
        raise CannotUpload(
            f"{name} has {manifest.size:,} bytes; this platform takes {max_bytes:,}. The largest files: {names}.", hint
        )
