"""Files of `name value` lines, between worker and supervisor. A name may come several times.

Not JSON, because the supervisor stands before every start of a program and reading JSON would double what it costs. Standard
library only.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def write_fields(path: str, fields: Iterable[tuple[str, str]]) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    folder, _, name = path.rpartition("/")
    temporary = f"{folder}/.{name}" if folder else f".{name}"
    lines = [f"{field} ".encode() + value.encode("unicode_escape") for field, value in fields]
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:  # noqa: PTH123  a descriptor
        file.write(b"\n".join(lines))
    os.rename(temporary, path)  # noqa: PTH104


def read_fields(path: str) -> list[tuple[str, str]]:
    """What write_fields wrote.

    Raises:
        FileNotFoundError: nothing was.
    """
    with open(path, "rb") as file:  # noqa: PTH123  pathlib costs the supervisor its start
        lines = file.read().split(b"\n")
    parts = [line.partition(b" ") for line in lines if line]
    return [(name.decode(), value.decode("unicode_escape")) for name, _, value in parts]
