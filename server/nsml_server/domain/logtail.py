"""The last error of a program that fell before it imported the SDK, as Python printed it at the end of its log.

Only for what its owner may read anyway: the log of a training.
"""

from __future__ import annotations

import re
from typing import Any

TAIL = 16 * 1024  # bytes of a log's end that are looked at
_FRAME = re.compile(r'^  File "([^"\n]{1,500})", line (\d{1,9})(?:, in (.{1,200}))?$', re.MULTILINE)
_ENDING = re.compile(r"^([A-Za-z_][\w.]{0,200}): ?(.*)$|^([A-Za-z_][\w.]{0,200})$", re.MULTILINE)


def error_at_end(tail: bytes, at: float) -> dict[str, Any] | None:
    """A journal ERROR line (see nsml._contract) for the traceback that the log ends with; None when it ends otherwise.

    `tail` are the log's last bytes, `at` unix seconds for the line.
    """
    text = tail.decode("utf-8", "replace").rstrip()
    frames = list(_FRAME.finditer(text))
    if not frames:
        return None
    ending = _ENDING.search(text, frames[-1].end() + 1)
    if ending is None or "\n  File " in text[ending.end() :]:
        return None
    module, _, name = (ending[1] or ending[3]).rpartition(".")
    return {
        "k": "error",
        "t": at,
        "phase": "start",
        "type": name,
        "module": module or "builtins",
        "message": ending[2] or "",
        "frames": [[frame[1], int(frame[2]), frame[3] or ""] for frame in frames[-20:]],
    }
