"""What a look at this machine found: one line each, how good it is, and what to do."""

from __future__ import annotations

import enum
import re
from dataclasses import asdict, dataclass
from typing import Any

_INDENT = " " * 28  # where the text of a line begins
_NUMBERS = re.compile(r"\d+(?:\.\d+)*")


class Level(enum.StrEnum):
    """How good something is."""

    OK = "ok"
    WEAKER = "weaker"  #: boxes run, and are sealed less well or told less about
    MISSING = "missing"


@dataclass(frozen=True)
class Finding:
    """One line. `advice` is the next step, empty when there is none to take."""

    name: str
    level: Level
    text: str
    advice: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For scripts."""
        return {**asdict(self), "level": self.level.value}

    def __str__(self) -> str:
        line = f"{self.level.value:<8} {self.name:<18} {self.text}"
        return f"{line}\n{_INDENT}-> {self.advice}" if self.advice else line


def judge(name: str, works: bool, text: str, otherwise: str, advice: str, level: Level = Level.WEAKER) -> Finding:
    """Ok with `text`, or of this level with what is so otherwise, and the advice."""
    return Finding(name, Level.OK, text) if works else Finding(name, level, otherwise, advice)


def version_of(text: str) -> tuple[int, ...]:
    """The first version number in a text: (1, 1, 5) for "runc version 1.1.5+ds1"; () when there is none."""
    found = _NUMBERS.search(text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def judge_version(name: str, text: str, safe: tuple[tuple[int, ...], ...], why: str) -> Finding:
    """Whether a version has the corrections it should have.

    Args:
        safe: the first corrected version of each series that was corrected, oldest series first; what is newer than the last
            series is good.
        why: the holes that older ones have.
    """
    version = version_of(text)
    if not version:
        return Finding(
            name, Level.WEAKER, "its version is not told", f"Make sure that it has the corrections for {why}."
        )
    shown = ".".join(map(str, version))
    series = [least for least in safe if least[:2] == version[:2]]
    if (series and version >= series[0]) or version[:2] > safe[-1][:2]:
        return Finding(name, Level.OK, f"{shown}, with the corrections for {why}")
    wanted = " or ".join(".".join(map(str, least)) for least in safe)
    advice = f"Update to {wanted}, or make sure that your distribution has put the corrections into its {shown}."
    return Finding(name, Level.WEAKER, f"{shown} is older than the corrections for {why}", advice)
