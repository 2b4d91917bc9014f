"""The journal that a program's SDK writes: every line is checked, cut to size and never trusted."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from nsml_server.domain.names import is_visible

MAX_LINE = 256 * 2**10  # bytes, the SDK's own limit
MAX_NAMES = 200  # of metrics in a summary, in a report, on a page
MAX_NAME = 256  # characters of a metric's name
MAX_TEXT = 200  # characters of a reported text
MAX_SENTENCE = 2000  # characters of a message or a note
MAX_FRAMES = 101  # the SDK keeps 100 and adds the file of a SyntaxError
_LATEST = 1e11  # unix seconds; what lies beyond is no time

# Kinds of lines, as the SDK writes them.
REPORT, SAVE, BOUND, PAUSED = "report", "save", "bound", "paused"
PHASE, DONE, ERROR, NOTE = "phase", "done", "error", "note"
PHASES = ("start", "save", "load", "infer", "write")

Value = float | int | str
Line = dict[str, Any]


def parse(line: bytes) -> Line | None:
    """A line with its kind in "k", its time in "t" and only the fields its kind has, or None when it is no such line.

    report: values {name: number|text}, step number|None, summary bool. save: name, dir, summary. bound: save, load, infer. phase: phase.
    error: phase, type, module, message, frames [[file, line, function]], organiser, infer_calls, expected, got. note: text.
    """
    if len(line) > MAX_LINE:
        return None
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return parse_object(data)


def parse_object(data: object) -> Line | None:
    """The same for a line that has been decoded already: the `error` of an Ended, for one."""
    if not isinstance(data, dict):
        return None
    kind, at = data.get("k"), _number(data.get("t"))
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None or at is None or not 0 <= at <= _LATEST:
        return None
    fields = reader(data)
    return None if fields is None else {"k": kind, "t": at, **fields}


def fold(summary: Mapping[str, Value], line: Line) -> dict[str, Value]:
    """The session's summary after this line: the last value of each name that was reported with summary=True."""
    if line["k"] != REPORT or not line["summary"]:
        return dict(summary)
    room = MAX_NAMES - len(summary)
    fresh = [name for name in line["values"] if name not in summary][: max(0, room)]
    kept = {name: value for name, value in line["values"].items() if name in summary or name in fresh}
    return {**summary, **kept}


@dataclass(frozen=True)
class Point:
    """One point of a curve. `time` in unix seconds."""

    step: float
    value: float
    time: float


def series(lines: Iterable[Line], points: int) -> dict[str, dict[str, list[float]]]:
    """Every metric's curve as {name: {"step", "value", "time"}}, each of at most about `points` points.

    A report without a step is placed by its number in the curve. Texts are left out; names beyond MAX_NAMES too.
    """
    curves: dict[str, _Curve] = defaultdict(_Curve)
    for line in lines:
        if line["k"] == REPORT:
            for name, value in line["values"].items():
                if not isinstance(value, str) and (name in curves or len(curves) < MAX_NAMES):
                    curves[name].add(line["step"], value, line["t"])
    return {name: _columns(sample(curve.points, points)) for name, curve in curves.items()}


def sample(points: Iterable[Point], n: int) -> list[Point]:
    """At most `n` of the points (at least 4), in order; each stretch keeps its first, lowest, highest and last."""
    every = list(points)
    n = max(4, n)
    if len(every) <= n:
        return every
    stretches = n // 4
    bounds = [len(every) * index // stretches for index in range(stretches + 1)]
    return [point for begin, end in pairwise(bounds) for point in _corners(every[begin:end])]


@dataclass
class _Curve:
    points: list[Point] = field(default_factory=list)

    def add(self, step: float | None, value: float, at: float) -> None:
        self.points.append(Point(len(self.points) if step is None else step, value, at))


def _corners(stretch: list[Point]) -> list[Point]:
    by_value = sorted(range(len(stretch)), key=lambda index: stretch[index].value)
    return [stretch[index] for index in sorted({0, by_value[0], by_value[-1], len(stretch) - 1})]


def _columns(points: list[Point]) -> dict[str, list[float]]:
    return {
        "step": [point.step for point in points],
        "value": [point.value for point in points],
        "time": [point.time for point in points],
    }


def _read_report(data: Line) -> Line | None:
    values = _values(data.get("values"))
    if values is None:
        return None
    return {"values": values, "step": _number(data.get("step")), "summary": data.get("summary") is True}


def _read_save(data: Line) -> Line | None:
    name, folder = data.get("name"), data.get("dir")
    if not (isinstance(name, str) and isinstance(folder, str)):
        return None
    return {"name": _text(name, 128), "dir": _text(folder, 255), "summary": _values(data.get("summary")) or {}}


def _read_bound(data: Line) -> Line:
    return {name: data.get(name) is True for name in ("save", "load", "infer")}


def _read_phase(data: Line) -> Line | None:
    phase = data.get("phase")
    return {"phase": phase} if phase in PHASES else None


def _read_note(data: Line) -> Line | None:
    text = data.get("text")
    return {"text": _sentence(text)} if isinstance(text, str) else None


def _read_error(data: Line) -> Line:
    phase, frames = data.get("phase"), data.get("frames")
    return {
        "phase": phase if phase in PHASES else "start",
        "type": _text(data.get("type"), MAX_NAME),
        "module": _text(data.get("module"), MAX_NAME),
        "message": _sentence(data.get("message")),
        "frames": [frame for frame in map(_frame, (frames if isinstance(frames, list) else [])[-MAX_FRAMES:]) if frame],
        "organiser": data.get("organiser") is True,
        "infer_calls": _count(data.get("infer_calls")) or 0,
        "expected": _count(data.get("expected")),
        "got": _count(data.get("got")),
    }


def _frame(frame: object) -> list[str | int] | None:
    if isinstance(frame, list) and len(frame) == 3 and isinstance(frame[0], str) and _count(frame[1]) is not None:
        return [_text(frame[0], 500), frame[1], _text(frame[2], MAX_NAME)]
    return None


_READERS: Mapping[str, Callable[[Line], Line | None]] = {
    REPORT: _read_report,
    SAVE: _read_save,
    BOUND: _read_bound,
    PAUSED: lambda _: {},
    PHASE: _read_phase,
    DONE: lambda _: {},
    ERROR: _read_error,
    NOTE: _read_note,
}


def _values(values: object) -> dict[str, Value] | None:
    if not isinstance(values, dict):
        return None
    kept: dict[str, Value] = {}
    for name, value in values.items():
        known = _text(value, MAX_TEXT) if isinstance(value, str) else _number(value)
        if known is not None and 0 < len(name) <= MAX_NAME and len(kept) < MAX_NAMES and is_visible(name):
            kept[name] = known
    return kept


def _number(value: object) -> float | int | None:
    """A finite number that a float can hold; None for all else. True and False count as 1 and 0."""
    if not isinstance(value, (int, float)):
        return None
    try:
        return value + 0 if math.isfinite(float(value)) else None
    except OverflowError:
        return None


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < 2**31 else None


def _sentence(value: object) -> str:
    """The same for what may have several lines: they become one."""
    return _text(" ".join(value[:MAX_SENTENCE].split()), MAX_SENTENCE) if isinstance(value, str) else ""


def _text(value: object, limit: int) -> str:
    """The text cut to size, with a mark in place of each character that cannot be seen; empty for what is no text."""
    if not isinstance(value, str):
        return ""
    cut = value[:limit]
    return cut if is_visible(cut) else "".join(c if is_visible(c) else "\ufffd" for c in cut)
