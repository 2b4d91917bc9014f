"""The time of a container runs from its start, whoever is the worker by then."""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nsml_worker.box import PLAN, Box, BoxId
from nsml_worker.containers import endings
from nsml_worker.contract import Limits, RunKind, RunSpec
from nsml_worker.fields import write_fields


class NotedDeadlines:
    """What is to be done, and in how many seconds; nothing is."""

    def __init__(self, _: str) -> None:
        self.added: list[float] = []

    def add(self, seconds: float, _: Callable[[], object]) -> None:
        self.added.append(seconds)


class QuietEvents:
    """Says nothing by itself; `ended` is what the engine's word would call."""

    def __init__(self, _: Any, ended: Callable[[BoxId], object], __: Any) -> None:
        self.ended = ended

    def start(self) -> None:
        """Nothing is heard."""


class RunningEngine:
    """Every container runs, since then."""

    def __init__(self, since: datetime.datetime) -> None:
        self.since = since

    def inspect(self, _: str) -> dict[str, Any]:
        return {"State": {"Running": True, "StartedAt": self.since.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}}


def test_a_later_worker_does_not_start_the_clock_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings, "Deadlines", NotedDeadlines)
    monkeypatch.setattr(endings, "Events", QuietEvents)
    limits = Limits(wall_clock=3600.0)
    box = Box(tmp_path / "1-1", RunSpec(1, 1, RunKind.TRAIN, "u/kin/1", "default", ("python",), (), limits=limits), "t")
    box.create()
    write_fields(str(box.folder / PLAN), [])
    engine: Any = RunningEngine(datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=3000))
    one: Any = endings.Endings(tmp_path, engine, str, grace=1.0, disk=2**30)
    one._events.ended(box.id)
    one._events.ended(box.id)
    (left,) = one._deadlines.added
    assert 0 < left <= 600
