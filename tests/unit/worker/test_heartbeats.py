"""What a node tells of its GPUs with its heartbeats: how busy they are, and that one is lost."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nsml_worker.agent import Agent
from nsml_worker.box import Box, BoxId
from nsml_worker.capacity import Meter
from nsml_worker.contract import Capacity, EventKind, FileEntry, Limits, Mount, RunKind, RunSpec, Tree, Use
from nsml_worker.materialise import BlobCache
from nsml_worker.memory_server import MemoryServer
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
    runner = MemoryRunner(tmp_path / "boxes", {"main.py": lambda *_: int(not over.wait(30))})
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


def test_the_boxes_of_a_machine_that_was_removed_end_though_their_programs_are_silent(tmp_path: Path) -> None:
    server, halt, ended = MemoryServer(), threading.Event(), threading.Event()

    def wait_in_silence(_box: Box, _write: Any, stop: threading.Event) -> int:
        assert stop.wait(30)
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
        assert ended.wait(30)
        server.wait_for(lambda: not agent.boxes())
    finally:
        agent.leave()
    assert not list((tmp_path / "boxes").iterdir())
