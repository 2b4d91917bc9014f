"""The last error of a program that fell before it imported the SDK, as Python or its command line parser printed it.

Only for what its owner may read anyway: the log of a training.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from nsml_server.domain.conventions import ITERATION, RESERVED

TAIL = 16 * 1024  # bytes of a log's end that are looked at
_FRAME = re.compile(r'^  File "([^"\n]{1,500})", line (\d{1,9})(?:, in (.{1,200}))?$', re.MULTILINE)
_ENDING = re.compile(r"^([A-Za-z_][\w.]{0,200}): ?(.*)$|^([A-Za-z_][\w.]{0,200})$", re.MULTILINE)

# argparse; click before and since 8; fire; absl and tf.app.flags
_UNKNOWN = re.compile(
    r"error: (?:unrecognized arguments|ambiguous option): [^\n]{1,500}|no such option:? '?--\w+|Could not consume arg: --\w+"
    r"|Unknown command line flag '\w+'",
    re.IGNORECASE,
)
_WRONG_VALUE = re.compile(rf"error: argument --({ITERATION}): invalid \w+ value")


@dataclass(frozen=True)
class Refusal:
    """Reserved arguments that were not known, or with `is_value` one whose value was not taken."""

    names: tuple[str, ...]
    is_value: bool = False


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


def refusal_at_end(tail: bytes) -> Refusal | None:
    """Which reserved arguments a program's own command line parser refused, as it said at the end of its log.

    Known are the words of argparse, click, fire, absl and TensorFlow's flags; None when it said none of them.
    """
    text = tail.decode("utf-8", "replace")
    wrong = _WRONG_VALUE.search(text)
    if wrong is not None:
        return Refusal((wrong[1],), is_value=True)
    said = " ".join(found[0] for found in _UNKNOWN.finditer(text))
    names = tuple(name for name in RESERVED if re.search(rf"(--|'){name}\b", said))
    return Refusal(names) if names else None
