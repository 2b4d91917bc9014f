"""Bytes that come in, and who may count on them.

A hash is a name, not a right: what somebody may refer to is what they have sent or made themselves. What is kept of the
runs of a submit belongs to the run alone, for it may hold the hidden test.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from nsml_server.domain.names import check_hash
from nsml_server.errors import Invalid
from nsml_server.services.platform import Platform
from nsml_server.storage import packs
from nsml_server.storage.database import ReadTransaction
from nsml_server.storage.repositories import manifests
from nsml_server.storage.tables import Run
from nsml_worker.contract import RunKind, Tree

MAX_ASKED = 20_000  # hashes in one question
CHUNK = 2**20  # bytes of a file sent at a time


def holder_of_user(user_id: int) -> str:
    """Under which name a person's bytes are remembered."""
    return f"user:{user_id}"


def holder_of_run(run: Run) -> str:
    """What a training makes is its user's; what a submit makes is nobody's but the run's."""
    hidden = run.kind in (RunKind.PREDICT, RunKind.SCORE)
    return f"run:{run.id}" if hidden else holder_of_user(run.user_id)


def missing(tx: ReadTransaction, holder: str, hashes: Sequence[str]) -> list[str]:
    """Those that this holder still has to send, in the order asked.

    Raises:
        Invalid: too many at once, or something that is no hash.
    """
    if len(hashes) > MAX_ASKED:
        raise Invalid(f"At most {MAX_ASKED:,} hashes can be asked for at once.", hint="Ask in several requests.")
    held = manifests.held(tx, holder, [check_hash(item) for item in hashes])
    return [item for item in dict.fromkeys(hashes) if item not in held]


def require_held(tx: ReadTransaction, holder: str, tree: Tree) -> None:
    """Raises Invalid, naming a file, when the tree refers to bytes this holder has not sent."""
    lacking = set(missing_of(tx, holder, (entry.hash for entry in tree.files)))
    first = next((entry for entry in tree.files if entry.hash in lacking), None)
    if first is not None:
        raise Invalid(
            f"The bytes of {first.path} have not been uploaded ({len(lacking)} file(s) missing).",
            hint="Ask which hashes are missing, upload those, and try again.",
            code="blobs_missing",
            details={"missing": sorted(lacking)[:1000]},
        )


def missing_of(tx: ReadTransaction, holder: str, hashes: Iterable[str]) -> list[str]:
    """As `missing`, for hashes that were checked before and may be many."""
    wanted = list(dict.fromkeys(hashes))
    held = manifests.held(tx, holder, wanted)
    return [item for item in wanted if item not in held]


def remember(platform: Platform, holder: str, hashes: Iterable[str]) -> None:
    """Once bytes are stored: this holder has shown them."""
    with platform.database.write() as tx:
        manifests.hold(tx, holder, hashes)


def take_pack(platform: Platform, holder: str, pack: bytes) -> list[tuple[str, int]]:
    """Store a pack; returns (hash, size) of its files."""
    files = platform.blobs.put_pack(pack)
    remember(platform, holder, (name for name, _ in files))
    return files


def make_pack(platform: Platform, hashes: Sequence[str]) -> bytes:
    """Those files as one pack, as far as they fit: the asker asks again for the rest."""
    chosen: list[tuple[str, bytes]] = []
    room = packs.MAX_PACK
    for name in list(dict.fromkeys(hashes))[: packs.MAX_FILES]:
        size = platform.blobs.size(name)
        if size > packs.MAX_FILE or size > room:
            continue
        with platform.blobs.open(name) as source:
            chosen.append((name, source.read()))
        room -= size
    return packs.encode(chosen)


def read_text(platform: Platform, tree: Tree, path: str, limit: int) -> bytes | None:
    """A small file of a tree, at most `limit` + 1 bytes of it; None when there is none."""
    entry = next((entry for entry in tree.files if entry.path == path), None)
    if entry is None:
        return None
    with platform.blobs.open(entry.hash) as source:
        return source.read(limit + 1)


def read_chunks(platform: Platform, name: str) -> Iterator[bytes]:
    """The bytes of one file, as they are sent."""
    with platform.blobs.open(name) as source:
        yield from iter(lambda: source.read(CHUNK), b"")
