"""From the server to a folder of this machine. The server's word for a path is not taken unlooked at."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import click

from nsmlctl.api import Incoming
from nsmlctl.errors import BadUsage, CannotUpload, NsmlctlError
from nsmlctl.manifest import check_name
from nsmlctl.output import count_text, plain, size_text, tell

Json = dict[str, Any]
Read = Callable[[str], Incoming]


def fetch_tree(tree: Json, read: Read, target: Path, *, force: bool, verbose: bool = False) -> list[str]:
    """Write every file of the tree below `target`, each whole or not at all; returns their paths. A terminal shows a bar.

    Raises:
        BadUsage: a file of this name is there already, and `force` is not given. Nothing is written then.
        NsmlctlError: the server names a path that leads elsewhere, or sends other bytes than it announced.
    """
    files = [(check_path(str(entry["path"])), entry) for entry in tree["files"]]
    if not force:
        refuse_existing(target, [path for path, _ in files])
    target.mkdir(parents=True, exist_ok=True)
    with _shown(files) as progress:
        for path, entry in files:
            place, incoming = below(target, path), read(path)
            digest = str(entry.get("hash") or incoming.digest or "")
            write_whole(place, _counted(incoming.chunks, progress), digest, int(entry.get("mode", 0o644)))
            if verbose:
                tell(f"{plain(path)} {size_text(entry['size'])}")
    return [path for path, _ in files]


def check_path(path: str) -> str:
    """Raises NsmlctlError unless the path stays below the folder it is written to."""
    parts = path.split("/")
    if PurePosixPath(path).is_absolute() or any(part in ("", ".", "..") for part in parts):
        raise NsmlctlError(
            f"The server names a file that would be written elsewhere: {path!a}.", "Nothing was written."
        )
    try:
        for number in range(1, len(parts) + 1):
            check_name("/".join(parts[:number]))
    except CannotUpload as error:
        raise NsmlctlError(f"The server names a file that cannot be written here: {path!a}.") from error
    return path


def refuse_existing(target: Path, paths: list[str]) -> None:
    """Raises BadUsage when something would be overwritten."""
    there = next((path for path in paths if os.path.lexists(target / path)), None)
    if there is not None:
        raise BadUsage(f"{target / there} is there already.", "Name another folder, or overwrite with -f.")


def below(target: Path, path: str) -> Path:
    """Where a checked path is written. Raises NsmlctlError when a link on the way leads out of the target."""
    whole = target / path
    whole.parent.mkdir(parents=True, exist_ok=True)
    if not whole.parent.resolve().is_relative_to(target.resolve()):
        raise NsmlctlError(f"{whole.parent} leads out of {target}.", "Name an empty folder.")
    return whole


def write_whole(path: Path, chunks: Iterator[bytes], digest: str, mode: int) -> None:
    """Only bytes with this BLAKE3 hash get the name."""
    from blake3 import blake3

    hasher = blake3()
    draft = path.with_name(f".{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            for chunk in chunks:
                hasher.update(chunk)
                file.write(chunk)
        if hasher.hexdigest() != digest:
            raise NsmlctlError(f"'{path.name}' did not arrive as it was sent.", "Run the command again.")
        draft.chmod(mode & 0o755 | 0o600)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _shown(files: list[tuple[str, Json]]) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    total = sum(int(entry["size"]) for _, entry in files)
    label = f"Fetching {count_text(len(files), 'file')} ({size_text(total)})"
    with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
        yield bar.update


def _counted(chunks: Iterator[bytes], progress: Callable[[int], None]) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        progress(len(chunk))
