"""The image table as operators keep it, and what a word in it means."""

from __future__ import annotations

from collections.abc import Sequence

from nsml_server.domain import images
from nsml_server.domain.images import Entry, Meaning
from nsml_server.domain.names import shown
from nsml_server.errors import Conflict, NotFound, UnknownImage
from nsml_server.services import nodes
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.repositories import images as rows


def table(tx: ReadTransaction) -> tuple[Entry, ...]:
    """Operators' entries, and the shipped ones they do not replace."""
    return images.merge(Entry(row.name, row.target, row.note) for row in rows.all_rows(tx))


def put(platform: Platform, tx: WriteTransaction, name: str, target: str, note: str) -> Entry:
    """Write an entry. Raises Invalid, also when it would be an alias of something that is not there."""
    entry = images.check_entry(name, target, note)
    rows.put(tx, entry.name, entry.target, entry.note, platform.now())
    if not entry.is_pattern:
        images.resolve(table(tx), entry.name)
    elif entry.target.startswith(f"{images.ALIAS}:"):
        images.resolve(table(tx), entry.target.removeprefix(f"{images.ALIAS}:"))
    return entry


def remove(tx: WriteTransaction, name: str) -> None:
    """Take an operator's entry away; a shipped one it replaced counts again.

    Raises:
        NotFound: there is none.
        Conflict: it is a shipped one.
    """
    if rows.remove(tx, name):
        return
    if any(entry.name == name for entry in images.SHIPPED):
        said = f"The entry {shown(name)} comes with the platform and cannot be removed."
        raise Conflict(said, hint="Add an entry of the same name that says something else.")
    raise NotFound(f"The image table has no entry {shown(name)}.", hint="`nsmlctl image ls` lists it.")


def resolve(platform: Platform, tx: ReadTransaction, word: str) -> Meaning:
    """What a word of somebody's code means on the machines there are. The setting `unknown_images` says what becomes of one
    that nobody knows.

    Raises:
        UnknownImage, Invalid: see domain.images.resolve.
    """
    entries = table(tx)
    try:
        meaning = images.resolve(entries, word)
    except UnknownImage:
        if platform.settings.unknown_images == "refuse":
            raise
        meaning = _replace(platform, tx, entries, word)
    return images.settle(entries, meaning, nodes.offered_runtimes(tx))


def check(platform: Platform, tx: ReadTransaction, word: str) -> None:
    """Of a word that somebody types now. Code of old cannot know our images, so something stands in for those it names; whoever
    types one is told of a slip at once. Raises UnknownImage, Invalid.
    """
    if not _may_pull(platform, tx):
        images.resolve(table(tx), word)
    resolve(platform, tx, word)


def _replace(platform: Platform, tx: ReadTransaction, entries: Sequence[Entry], word: str) -> Meaning:
    if _may_pull(platform, tx):
        return Meaning(word, images.check_target(f"{images.DOCKER}:{word}"))
    return images.stand_in(entries, word, platform.settings.image)


def _may_pull(platform: Platform, tx: ReadTransaction) -> bool:
    return platform.settings.unknown_images == "pull" and nodes.have_containers(tx)
