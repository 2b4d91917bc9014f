"""Points of a curve: from the arguments of `nsml.report` to one journal line."""

import time

from nsml import _contract
from nsml._journal import Journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional, Union

    Value = Union[float, int, str]

_PLAIN = frozenset((float, int, str))
_NUMBER = frozenset((float, int))
#: Names and characters of the last values that go with a checkpoint: keeps the line below MAX_LINE.
_MAX_NAMES = 200
_MAX_NAME = 128
_MAX_TEXT = 200
_MAX_RENAMED = 4096


class Reports:
    """Writes reports and remembers each name's last value."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._latest: "Dict[str, Value]" = {}
        self._renamed: "Dict[str, str]" = {}

    def write(self, values: "Dict[str, Any]", summary: bool) -> None:
        """Append one point. `step` is its place on the x axis; `walltime` is always our own clock.

        Raises:
            TypeError: a value that JSON cannot hold, a tensor above all.
        """
        step = values.pop("step", None)
        values.pop("walltime", None)
        renamed = self._renamed
        plain = {}
        for key, value in values.items():
            plain[renamed.get(key) or self._rename(key)] = value if type(value) in _PLAIN else simplify(key, value)
        if step is not None and type(step) not in _NUMBER:
            step = simplify("step", step)
        self._journal.append(self._encode(plain, step, summary))
        self._remember(plain, step)

    def latest(self) -> "Dict[str, Value]":
        """The last value of each name, bounded in number and length."""
        return {name[:_MAX_NAME]: _clip(self._latest[name]) for name in list(self._latest)[:_MAX_NAMES]}

    def _encode(self, plain: "Dict[str, Value]", step: "Optional[Value]", summary: bool) -> bytes:
        line = {
            _contract.KIND: _contract.REPORT,
            "t": time.time(),
            "values": plain,
            "step": step if type(step) in _NUMBER else None,
            "summary": summary,
        }
        try:
            return self._journal.encode(line)
        except ValueError:
            line["values"] = {name: _spell(value) for name, value in plain.items()}
            line["step"] = None if step is None or isinstance(_spell(step), str) else step
            return self._journal.encode(line)

    def _remember(self, plain: "Dict[str, Value]", step: "Optional[Value]") -> None:
        latest = self._latest
        latest.update(plain)
        if step is not None:
            latest["step"] = step
        if len(latest) > _MAX_NAMES:
            self._latest = {name: latest[name] for name in list(plain)[:_MAX_NAMES]}

    def _rename(self, key: "Any") -> str:
        name = str(key).replace("__", "/")
        if len(self._renamed) < _MAX_RENAMED:
            self._renamed[key] = name
        return name


def simplify(key: "Any", value: "Any") -> "Value":
    """A number or a text for anything JSON can hold.

    Raises:
        TypeError: JSON cannot hold it.
    """
    if isinstance(value, float):
        return float(value)  # numpy's float64 is one
    if isinstance(value, int):
        return int(value)  # and so is a bool
    if isinstance(value, str):
        return str(value)
    import json

    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        kind = type(value).__name__
        message = (
            "nsml.report cannot record {!r}: a {} is not a number or a text; give a plain number, e.g. {}={}.item()"
        )
        raise TypeError(message.format(key, kind, key, key)) from None


def _spell(value: "Value") -> "Value":
    # JSON has no NaN; as a text it still reaches the page, where "the loss became NaN" is what one wants to see.
    if isinstance(value, float) and not abs(value) < float("inf"):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return value


def _clip(value: "Value") -> "Value":
    return value[:_MAX_TEXT] if isinstance(value, str) else _spell(value)
