"""A row of the table, and the table as text."""

import dataclasses
from collections.abc import Iterable


@dataclasses.dataclass(frozen=True)
class Row:
    """One comparison. `ours` and `floor` are in `unit`; `goal` is the greatest ratio we allow, None where none is set."""

    name: str
    ours: float
    floor: float
    ratio: float
    goal: float | None
    unit: str

    @property
    def verdict(self) -> str:
        """`met`, `missed`, or nothing where there is no goal."""
        if self.goal is None:
            return ""
        return "met" if self.ratio <= self.goal else "missed"


def compare(name: str, ours: float, floor: float, *, goal: float | None, unit: str) -> Row:
    """A row with its ratio. Raises ZeroDivisionError for a floor that was too fast to be measured."""
    return Row(name, ours, floor, ours / floor, goal, unit)


def take_quantile(samples: Iterable[float], share: float) -> float:
    """The sample below which `share` (0 to 1) of them lie."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def render(rows: Iterable[Row]) -> str:
    """Columns in two-blank style, numbers to the right."""
    cells = [("what", "ours", "floor", "unit", "ratio", "goal", "")]
    for row in rows:
        goal = "" if row.goal is None else f"≤ {row.goal:g}"
        cells.append(
            (row.name, _shorten(row.ours), _shorten(row.floor), row.unit, f"{row.ratio:.2f}", goal, row.verdict)
        )
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(_align(text, width, index) for index, (text, width) in enumerate(zip(line, widths, strict=True)))
        for line in cells
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def _align(text: str, width: int, index: int) -> str:
    is_number = index in (1, 2, 4, 5)
    return text.rjust(width) if is_number else text.ljust(width)


def _shorten(number: float) -> str:
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"
