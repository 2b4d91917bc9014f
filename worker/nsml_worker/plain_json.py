"""JSON that a participant's program wrote, read so that it can be told further: what no request could hold is not let in."""

from __future__ import annotations

import json
import re
from typing import Any

_MAX_DIGITS = 18  # of an integer that every reader of JSON takes as one
_NULS = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")  # as JSON writes them; the same after an odd backslash is text


def read_plain(data: bytes | bytearray) -> Any:
    """The value, as `make_plain` leaves it.

    Raises:
        ValueError: it is no JSON, is nested too deep, or holds a number for which JSON has no word.
    """
    try:
        return make_plain(json.loads(data, parse_int=_read_integer))
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def make_plain(value: Any) -> Any:
    """The value with a question mark in the place of each half of a character, which UTF-8 cannot hold, and of each NUL,
    which PostgreSQL cannot.

    Raises:
        ValueError: a number in it is not finite.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return json.loads(_NULS.sub(r"\1?", text).encode("utf-8", "replace"))


def _read_integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_DIGITS else float(digits)
