"""What went wrong, as one journal line: the phase, the error's type and where it was raised."""

import os
import sys

from nsml import _contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Dict, List, Optional, Type

    from nsml._journal import Journal

#: Outermost and innermost frames kept of a deeper traceback: a recursion has thousands of equal ones.
_OUTER_FRAMES = 30
_INNER_FRAMES = 70
_MAX_MESSAGE = 2000  # characters
_MAX_NAME = 500
_PHASE = "_nsml_phase"


def watch(journal: "Journal") -> None:
    """Write an ERROR line for each uncaught error from now on; what `sys.excepthook` did before still happens."""
    original = sys.excepthook

    def record(kind: "Type[BaseException]", error: BaseException, trace: "Optional[TracebackType]") -> "Any":
        if isinstance(error, Exception):
            phase = phase_of(error, _contract.PHASE_START)
            journal.write(_contract.ERROR, describe(error, phase), must_arrive=True)
        return original(kind, error, trace)

    sys.excepthook = record


def mark(error: BaseException, phase: str) -> None:
    """Remember on the error itself in which phase it was raised."""
    try:
        setattr(error, _PHASE, phase)
    except Exception:  # noqa: S110 - an exception class that refuses attributes: the phase stays `start`
        pass


def phase_of(error: BaseException, default: str) -> str:
    """The phase that `mark` remembered, or `default`."""
    return str(getattr(error, _PHASE, default))


def describe(error: BaseException, phase: str) -> "Dict[str, Any]":
    """The fields of an ERROR line."""
    fields = {
        "phase": phase,
        "type": type(error).__name__[:_MAX_NAME],
        "module": str(type(error).__module__)[:_MAX_NAME],
        "message": _read_message(error)[:_MAX_MESSAGE],
        "frames": _list_frames(error),
    }
    for number in ("expected", "got"):
        if isinstance(getattr(error, number, None), int):
            fields[number] = getattr(error, number)
    return fields


def _read_message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # a broken __str__ of the program's own
        return ""


def _list_frames(error: BaseException) -> "List[List[Any]]":
    frames: "List[List[Any]]" = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append([_locate(code.co_filename), trace.tb_lineno, code.co_name[:_MAX_NAME]])
        if len(frames) > _OUTER_FRAMES + _INNER_FRAMES:
            del frames[_OUTER_FRAMES]
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename:  # raised by the import; the culprit is the file itself
        frames.append([_locate(str(error.filename)), error.lineno or 0, "<module>"])
    return frames


def _locate(filename: str) -> str:
    if not filename.startswith("<"):
        try:
            filename = os.path.abspath(filename)
        except OSError:  # the working directory is gone
            pass
    return filename[-_MAX_NAME:]
