"""A program's output as text that is safe to show: untrusted bytes in, plain characters out.

Escaping for HTML is the template's and the browser's work (`textContent`); here go the terminal sequences, the control
characters, and what turns the direction of writing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

TAIL = 256 * 1024  # bytes of a log that a page shows; the whole is a link away
CHUNK = 64 * 1024  # bytes in one event of a live log
_ALIGN = 4096  # bytes searched for a line's start, so that a tail does not begin in mid-line

# CSI and OSC sequences, two-character escapes, then lone escapes.
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)|[PX^_][^\x1b]{0,4096}\x1b\\|[ -/]*[0-~])"
)
_UNFINISHED_ESCAPE = re.compile(rb"\x1b[^\x1b\n]{0,63}$")
_FINISHED_ESCAPE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*\x07|[ -/]*[0-Z\\^-~])")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


class Piece(NamedTuple):
    """Text made of the first `consumed` bytes of what was given."""

    text: str
    consumed: int


def clean(data: bytes, *, final: bool = True) -> Piece:
    """Turn output into text.

    A character or a terminal sequence that the end of `data` cuts in two is left unconsumed, for the next call to see
    whole, unless `final`.
    """
    kept = data if final else data[: _complete_length(data)]
    text = kept.decode("utf-8", errors="replace").replace("\r\n", "\n")
    return Piece(_CONTROLS.sub("\ufffd", _ESCAPES.sub("", text)), len(kept))


def fold_returns(text: str) -> str:
    """What a terminal would show of lines written over: of each line, what follows its last carriage return."""
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


def tail_offset(size: int) -> int:
    """Where to start reading so that at most TAIL bytes follow."""
    return max(0, size - TAIL)


def align_start(data: bytes, offset: int) -> int:
    """How many bytes to drop from `data`, read from `offset` of a log, so that it starts with a line, or with a character."""
    if offset == 0:
        return 0
    newline = data.find(b"\n", 0, _ALIGN)
    if newline >= 0:
        return newline + 1
    return next((i for i, byte in enumerate(data[:4]) if byte & 0xC0 != 0x80), 0)


def _complete_length(data: bytes) -> int:
    """The length of `data` without an unfinished character or sequence at its end."""
    length = len(data) - _unfinished_character(data)
    escape = _UNFINISHED_ESCAPE.search(data[:length][-64:])
    if escape and not _FINISHED_ESCAPE.match(escape.group()):
        return length - len(escape.group())
    return length


def _unfinished_character(data: bytes) -> int:
    """How many bytes at the end begin a UTF-8 character whose other bytes have not come yet."""
    for back in range(1, min(4, len(data) + 1)):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        needed = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return back if needed > back else 0
    return 0
