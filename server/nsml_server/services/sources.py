"""The source of a session's code, as far as it is looked into."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from nsml_server.domain.conventions import MAX_FILES, MAX_SIZE, MAX_TOTAL, Seen, read_sources
from nsml_server.services import files
from nsml_server.services.platform import Platform
from nsml_worker.contract import Tree


def reader(platform: Platform, tree: Tree) -> Callable[[str], str | None]:
    """Gives the text of an uploaded file by its path; None for one that is not there or too large to be a program."""

    def read(path: str) -> str | None:
        source = files.read_text(platform, tree, path, MAX_SIZE)
        return None if source is None or len(source) > MAX_SIZE else source.decode("utf-8", "replace")

    return read


def look(platform: Platform, tree: Tree, entry: str) -> Seen:
    """What the programs of a folder show of NSML's conventions, the entry before all others."""
    return read_sources(_programs(platform, tree, entry))


def _programs(platform: Platform, tree: Tree, entry: str) -> Iterator[str]:
    read, room = reader(platform, tree), MAX_TOTAL
    programs = [file for file in tree.files if file.path.endswith(".py") and file.size <= MAX_SIZE]
    for file in sorted(programs, key=lambda file: (file.path != entry, file.path))[:MAX_FILES]:
        room -= file.size
        if room >= 0:
            yield read(file.path) or ""
