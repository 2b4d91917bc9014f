"""Reading a program's journal for the lines that ask the worker to do something. Nothing in it is trusted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nsml import _contract as sdk
from nsml_worker.plain_json import read_plain
from nsml_worker.streaming import CHUNK, MAX_JOURNAL, Watch

_WANTED = (sdk.SAVE, sdk.PAUSED, sdk.ERROR)
_MARKS = tuple(f'"{kind}"'.encode() for kind in _WANTED)


class JournalReader:
    """Hands out each whole line of interest once, from the journal's first byte on."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._position = 0
        self._rest = b""

    def read(self) -> Iterator[dict[str, Any]]:
        """The lines that were completed since the last call."""
        while self._position < MAX_JOURNAL and (data := self._watch.read(sdk.JOURNAL, self._position, CHUNK)):
            self._position += len(data)
            *lines, rest = (self._rest + data).split(b"\n")
            self._rest = rest if len(rest) <= sdk.MAX_LINE else b"x"  # no longer a line; kept short until its end
            yield from filter(None, map(parse_line, lines))


def parse_line(line: bytes) -> dict[str, Any] | None:
    """A line of interest that can be told to the server, or None."""
    if len(line) > sdk.MAX_LINE or not any(mark in line for mark in _MARKS):
        return None  # reports are many; only the server reads them
    try:
        value = read_plain(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) and value.get(sdk.KIND) in _WANTED else None
