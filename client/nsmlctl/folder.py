"""From a folder on this machine to bytes on the server, with what the person is told meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from nsmlctl.api import Api
from nsmlctl.errors import CannotUpload
from nsmlctl.hashes import HashCache
from nsmlctl.ignore import DEFAULT, read_rules
from nsmlctl.manifest import Manifest, hash_files, walk
from nsmlctl.output import count_text, size_text, tell
from nsmlctl.pack import PackPlan, check_limits
from nsmlctl.upload import Progress, plan_upload, send
from nsmlctl.workplace import Workplace

LARGE = 10_000_000  # bytes of code above which something is probably uploaded by accident


def read_folder(place: Workplace, folder: Path, default_rules: str = DEFAULT) -> Manifest:
    """What of `folder` goes up.

    Raises:
        CannotUpload: the folder is a home folder or the root of the disk, or holds something that cannot go up.
    """
    whole = folder.resolve()
    if whole == Path(whole.anchor) or str(whole) == place.environ.get("HOME"):
        raise CannotUpload(f"{whole} as a whole is not uploaded.", "Go to the folder of your program first.")
    cache = HashCache(place.home, whole)
    manifest = hash_files(walk(whole, read_rules(whole, default_rules)), cache)
    cache.save()
    return manifest


def upload_folder(api: Api, place: Workplace, folder: Path, manifest: Manifest, limits: dict[str, Any]) -> None:
    """Returns when the server has every byte.

    Raises:
        CannotUpload: more than the platform takes, or a file changed meanwhile.
    """
    check_limits(manifest, limits, str(folder))
    plan = plan_upload(api, manifest)
    try:
        with _shown(plan, manifest) as progress:
            send(api, plan, progress)
    except CannotUpload:
        HashCache(place.home, folder).forget()
        raise


def hint_about_size(manifest: Manifest) -> None:
    """Code is small; a large folder usually holds data or models that nobody meant to send."""
    if manifest.size > LARGE:
        largest = max(manifest.entries, key=lambda entry: entry.size)
        tell(
            f"Warning: this folder has {size_text(manifest.size)}, of which {largest.path} {size_text(largest.size)}. "
            "List what is not needed in .nsmlignore."
        )


@contextmanager
def _shown(plan: PackPlan, manifest: Manifest) -> Iterator[Progress]:
    """A bar on a terminal; elsewhere one line when all is there."""
    count = len(plan.singles) + sum(map(len, plan.packs))
    total = len(manifest.entries)
    label = f"Uploading {count} of {count_text(total, 'file')} ({size_text(plan.size)})"
    if not count:
        yield lambda sent: None
        tell(f"Nothing to upload: the platform has {'the file' if total == 1 else f'all {total} files'}")
    elif sys.stderr.isatty():
        with click.progressbar(length=plan.size, label=label, file=sys.stderr) as bar:
            yield bar.update
    else:
        yield lambda sent: None
        tell(label.replace("Uploading", "Uploaded"))
