"""What a program wrote beside its code: collected when it has ended, told to the server by name, size and hash.

Nothing of the program runs any more. What it left is untrusted: no link is followed, and everything is bounded.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from nsml_worker import untrusted
from nsml_worker.contract import FileEntry, Tree
from nsml_worker.errors import ServerRefused
from nsml_worker.server_api import RunApi
from nsml_worker.uploads import hash_file, upload

MAX_FILES = 1000
MAX_BYTES = 2**30
MAX_LEFT_OUT = 1000  # files of which it is told why they were not kept
MAX_PATH = 1000  # bytes
CACHES = frozenset({"__pycache__", ".cache", ".ipynb_checkpoints", ".mypy_cache", ".pytest_cache"})  # nobody's work

# A backslash, a disk's letter, or a name that Windows keeps for a device.
_UNKEPT = re.compile(r"\\|^[a-z]:|(^|/)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])\s*(\.[^/]*)?(/|$)", re.IGNORECASE)

log = structlog.get_logger()


@dataclass
class Products:
    """The files of one program, as far as they are kept. `left_out` maps a path to the reason."""

    files: list[FileEntry] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    size: int = 0  # bytes
    spelt: dict[str, str] = field(default_factory=dict)  # what some disk takes for one: as it was spelt first

    def keep(self, entry: FileEntry) -> None:
        """Kept, if the server takes it."""
        self.files.append(entry)
        self.size += entry.size
        self.spelt.update((_fold(head), head) for head in _heads(entry.path))

    def leave_out(self, path: str, why: str) -> None:
        """Not kept."""
        if len(self.left_out) < MAX_LEFT_OUT:
            self.left_out.setdefault(path, why)

    def to_dict(self) -> dict[str, Any]:
        """As the event tells it."""
        return {
            "tree": Tree(tuple(self.files)).to_dict(),
            "left_out": [[path, why] for path, why in sorted(self.left_out.items())],
        }


def collect_products(app: Path, code: Tree, api: RunApi) -> Products:
    """Store what is new or changed below `app`; `code` is what was laid out there."""
    found = find_products(app, code)
    try:
        upload(api, found.files, lambda entry: untrusted.open_path(app, entry.path))
    except (ServerRefused, OSError) as error:
        log.warning("products_refused", error=str(error))
        for entry in found.files:
            found.leave_out(entry.path, "it could not be stored")
        found.files = []
    return found


def find_products(app: Path, code: Tree) -> Products:
    """What is new or changed, as much of it as is kept."""
    products = Products()
    uploaded = {entry.path: entry for entry in code.files}
    try:
        with untrusted.open_folder(app) as folder:
            for path in untrusted.survey(folder, products.leave_out, CACHES):
                _consider(app, path, uploaded.get(path), products)
    except OSError as error:  # the program has put something else in its place
        products.leave_out("/app", error.strerror or "it cannot be read")
    return products


def _consider(app: Path, path: str, before: FileEntry | None, products: Products) -> None:
    """Keep a file, leave it out, or pass over what was there from the beginning."""
    try:
        fd = untrusted.open_path(app, path)
    except OSError as error:
        products.leave_out(path, error.strerror or "it is not a plain file")
        return
    try:
        size = os.fstat(fd).st_size
        why = _refuse(path, size, products)
        if before is not None and before.size == size and hash_file(fd, size)[1] == before.hash:
            return
        if why:
            products.leave_out(path, why)
            return
        size, digest = hash_file(fd, MAX_BYTES)
    finally:
        os.close(fd)
    products.keep(FileEntry(path, size, digest))


def _refuse(path: str, size: int, products: Products) -> str:
    """Why a file is not kept; empty when it is."""
    if not path.isprintable() or _UNKEPT.search(path) or len(path.encode()) > MAX_PATH:
        return "its name cannot be kept on every system"
    if any(products.spelt.get(_fold(part), part) != part for part in _heads(path)):
        return "another name differs from it in capital letters only"
    if len(products.files) >= MAX_FILES:
        return f"there are more than {MAX_FILES:,} files"
    if products.size + size > MAX_BYTES:
        return f"the files hold more than {MAX_BYTES >> 20:,} MiB"
    return ""


def _heads(path: str) -> Iterator[str]:
    """The folders of a path, and the path itself."""
    parts = path.split("/")
    return ("/".join(parts[:end]) for end in range(1, len(parts) + 1))


def _fold(name: str) -> str:
    """The same for names that some disk takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
