"""What a node tells of its GPUs with its heartbeats: how busy they are, and that one is lost."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from nsml_worker.agent import Agent
from nsml_worker.box import Box, BoxId
from nsml_worker.capacity import Meter
from nsml_worker.contract import Capacity, EventKind, FileEntry, Limits, Mount, RunKind, RunSpec, Tree, Use
from nsml_worker.errors import ServerAway, ServerRefused
from nsml_worker.materialise import BlobCache
from nsml_worker.memory_server import SECONDS, MemoryServer
from nsml_worker.run import Run
from nsml_worker.runner import MemoryRunner

GPUS = [{"uuid": f"GPU-{n}", "model": "Tesla P40", "memory": 2**34, "driver": "418.67"} for n in (1, 2)]


class TwoGpus(Meter):
    """Devices of which one can be lost."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.present: list[dict[str, Any]] = list(GPUS)

    def gpus(self) -> list[dict[str, Any]]:
        return self.present

    def use_of(self, uuids: Sequence[str]) -> Use:
        return Use(tuple(90 for _ in uuids), tuple(2**20 for _ in uuids))


def test_use_and_loss_of_gpus_are_told(tmp_path: Path) -> None:
    server, halt, over, meter = MemoryServer(), threading.Event(), threading.Event(), TwoGpus(tmp_path)
    runner = MemoryRunner(tmp_path / "boxes", {"main.py": lambda *_: int(not over.wait(SECONDS))})
    tree = Tree((FileEntry("main.py", 0, server.keep(b"")),))
    argv, limits = ("python", "-u", "main.py"), Limits(gpus=("GPU-2",))
    spec = RunSpec(1, 1, RunKind.TRAIN, "u/d/1", "default", argv, (Mount("/app", tree),), limits=limits)
    server.offer(spec, "token")
    agent = Agent(server, runner, BlobCache(tmp_path / "cache"), Capacity(2, 2**30, tuple(GPUS)), halt, meter)
    agent.start()
    try:
        agent.take(1, "token")
        server.wait_for(lambda: BoxId(1, 1) in server.uses)
        told = server.uses[BoxId(1, 1)]
        assert (told.gpu_utilisation, told.gpu_memory) == ((90,), (2**20,))
        meter.present = GPUS[1:]
        server.wait_for(lambda: server.capacity is not None and len(server.capacity.gpus) == 1)
        assert server.capacity is not None
        assert server.capacity.gpus == (GPUS[1],)
    finally:
        over.set()
        server.wait_for_end(BoxId(1, 1))
        agent.leave()


class Moody(MemoryServer):
    """Answers some heartbeats as it should not: any, or only those that tell a change."""

    def __init__(self) -> None:
        super().__init__()
        self.moods: list[Exception] = []
        self.at_changes = False
        self.told: list[Capacity | None] = []

    def heartbeat(
        self, boxes: list[BoxId], use: Mapping[BoxId, Use] | None = None, capacity: Capacity | None = None
    ) -> dict[str, Any]:
        self.told.append(capacity)
        if self.moods and (capacity is not None or not self.at_changes):
            raise self.moods.pop()
        return super().heartbeat(boxes, use, capacity)


@pytest.fixture
def moody() -> Moody:
    return Moody()


def make_agent(server: MemoryServer, folder: Path, meter: Meter | None = None, **programs: Any) -> Agent:
    runner = MemoryRunner(folder / "boxes", programs)
    return Agent(server, runner, BlobCache(folder / "cache"), Capacity(2, 2**30), threading.Event(), meter)


def test_whatever_one_heartbeat_meets_the_next_one_comes(moody: Moody, tmp_path: Path) -> None:
    agent = make_agent(moody, tmp_path)
    moody.moods = [ServerAway("away"), ValueError("no JSON"), ServerRefused("no"), KeyError("stop"), RuntimeError("?")]
    agent.start()
    try:
        moody.wait_for(lambda: len(moody.told) > 6 and not moody.moods)
    finally:
        agent.leave()


def test_a_run_that_cannot_be_stopped_keeps_no_other_from_it(
    moody: Moody, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = threading.Event()

    def stop(run: Run) -> None:
        if run.box.id.run_id == 1:
            raise OSError("No space left on device")
        stopped.set()

    monkeypatch.setattr(Run, "stop", stop)
    over = threading.Event()
    agent = make_agent(moody, tmp_path, **{"main.py": lambda *_: int(not over.wait(SECONDS))})
    tree = Tree((FileEntry("main.py", 0, moody.keep(b"")),))
    agent.start()
    try:
        for number in (1, 2):
            spec = RunSpec(number, 1, RunKind.TRAIN, "u/d/1", "default", ("python", "main.py"), (Mount("/app", tree),))
            moody.offer(spec, str(number))
            agent.take(number, str(number))
        moody.wait_for(lambda: len(moody.uses) == 2)
        moody.stops = [BoxId(1, 1), BoxId(2, 1)]
        assert stopped.wait(SECONDS)
    finally:
        over.set()
        moody.wait_for_end(BoxId(1, 1))
        moody.wait_for_end(BoxId(2, 1))
        agent.leave()


def test_what_changed_while_the_server_was_away_is_told_once_it_is_back(moody: Moody, tmp_path: Path) -> None:
    agent = make_agent(moody, tmp_path, TwoGpus(tmp_path))
    moody.at_changes = True
    moody.moods = [ServerAway("away")] * 3 + [ServerRefused("not now")] * 3
    agent.start()
    try:
        moody.wait_for(lambda: moody.capacity is not None and len(moody.capacity.gpus) == 2)
        assert not moody.moods
        count = len(moody.told)
        moody.wait_for(lambda: len(moody.told) > count + 3)
        assert moody.told[count + 2 :] == [None] * len(moody.told[count + 2 :]), "and then no more"
    finally:
        agent.leave()


def test_a_driver_that_hangs_holds_up_no_heartbeat(moody: Moody, tmp_path: Path) -> None:
    asked, over = threading.Event(), threading.Event()

    class Hanging(TwoGpus):
        def gpus(self) -> list[dict[str, Any]]:
            asked.set()
            over.wait()
            return []

    agent = make_agent(moody, tmp_path, Hanging(tmp_path))
    agent.start()
    try:
        assert asked.wait(SECONDS)
        count = len(moody.told)
        moody.wait_for(lambda: len(moody.told) > count + 2)
    finally:
        over.set()
        agent.leave()


def test_nothing_follows_a_goodbye(moody: Moody, tmp_path: Path) -> None:
    agent = make_agent(moody, tmp_path)
    agent.start()
    moody.wait_for(lambda: len(moody.told) > 0)
    agent.leave()
    assert (moody.farewells, moody.afterthoughts) == (1, 0)


def test_the_boxes_of_a_machine_that_was_removed_while_its_worker_was_down_end_at_its_next_start(
    moody: Moody, tmp_path: Path
) -> None:
    ended = threading.Event()

    def wait_in_silence(_box: Box, _write: Any, stop: threading.Event) -> int:
        assert stop.wait(SECONDS)
        ended.set()
        return 0

    tree = Tree((FileEntry("main.py", 0, moody.keep(b"")),))
    moody.offer(
        RunSpec(1, 1, RunKind.TRAIN, "u/d/1", "default", ("python", "main.py"), (Mount("/app", tree),)), "token"
    )
    runner = MemoryRunner(tmp_path / "boxes", {"main.py": wait_in_silence})
    cache = BlobCache(tmp_path / "cache")
    first, second = (Agent(moody, runner, cache, Capacity(2, 2**30), threading.Event()) for _ in range(2))
    first.start()
    first.take(1, "token")
    moody.wait_for(lambda: any(one.kind is EventKind.STARTED for one in moody.events.get(BoxId(1, 1), [])))
    first.leave()
    assert not ended.is_set()
    moody.is_node_removed = True
    second.start()
    try:
        assert ended.wait(SECONDS)
        wait_until(lambda: not second.boxes())
    finally:
        second.leave()
    assert not list((tmp_path / "boxes").iterdir())


def wait_until(condition: Callable[[], bool]) -> None:
    """For something that nobody announces."""
    pause, until = threading.Event(), time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < until
        pause.wait(0.01)


def test_the_boxes_of_a_machine_that_was_removed_end_though_their_programs_are_silent(tmp_path: Path) -> None:
    server, halt, ended = MemoryServer(), threading.Event(), threading.Event()

    def wait_in_silence(_box: Box, _write: Any, stop: threading.Event) -> int:
        assert stop.wait(SECONDS)
        ended.set()
        return 0

    runner = MemoryRunner(tmp_path / "boxes", {"main.py": wait_in_silence})
    tree = Tree((FileEntry("main.py", 0, server.keep(b"")),))
    spec = RunSpec(1, 1, RunKind.TRAIN, "u/d/1", "default", ("python", "main.py"), (Mount("/app", tree),))
    server.offer(spec, "token")
    agent = Agent(server, runner, BlobCache(tmp_path / "cache"), Capacity(2, 2**30), halt)
    agent.start()
    try:
        agent.take(1, "token")
        server.wait_for(lambda: any(one.kind is EventKind.STARTED for one in server.events.get(BoxId(1, 1), [])))
        server.is_node_removed = True
        agent.look()
        assert ended.wait(SECONDS)
        server.wait_for(lambda: not agent.boxes())
    finally:
        agent.leave()
    assert not list((tmp_path / "boxes").iterdir())
