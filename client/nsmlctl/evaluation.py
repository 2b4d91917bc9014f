"""`dataset push -e`: the organiser's own evaluation, wherever the file is, becomes the dataset's evaluation.py."""

from __future__ import annotations

import stat
from pathlib import Path

from nsmlctl.errors import BadUsage
from nsmlctl.manifest import FoundFile, Manifest, ManifestEntry, hash_of

NAME = "evaluation.py"


def with_evaluation(manifest: Manifest, program: str, places: tuple[Path, ...]) -> Manifest:
    """The manifest with `program`, looked for in `places` in turn, as its evaluation.py.

    Raises:
        BadUsage: it is in none of them.
        CannotUpload: it cannot be read.
    """
    source = next((place / program for place in places if (place / program).is_file()), None)
    if source is None:
        raise BadUsage(
            f"{program}: there is no such file here nor in the dataset's folder.", "Name the program with -e."
        )
    source = source.resolve()
    status = source.stat()
    digest = hash_of(FoundFile(NAME, source, status))
    entry = ManifestEntry(NAME, status.st_size, digest, stat.S_IMODE(status.st_mode) & 0o777, source)
    others = [other for other in manifest.entries if other.path != NAME]
    return Manifest(tuple(sorted([*others, entry], key=lambda each: each.path)))
