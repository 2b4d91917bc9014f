"""Samples of what boxes use, taken beside the heartbeat."""

import fcntl
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from nsml_worker.agent import Agent
from nsml_worker.box import EXIT, LOCK, Box, BoxId
from nsml_worker.confinement import LADDER
from nsml_worker.containers.engine import Engine
from nsml_worker.containers.stats import measure, read_stats
from nsml_worker.contract import Capacity, FileEntry, Mount, RunKind, RunSpec, Tree, Use
from nsml_worker.errors import EngineFailed
from nsml_worker.fields import write_fields
from nsml_worker.gauge import Gauge, Spent
from nsml_worker.materialise import BlobCache
from nsml_worker.memory_server import SECONDS, MemoryServer
from nsml_worker.process_runner import ProcessRunner
from nsml_worker.runner import MemoryRunner

SPEC = RunSpec(1, 1, RunKind.TRAIN, "u/d/1", "default", ("python", "-u", "main.py"), ())
BOX = Box(Path("box"), SPEC, "token")


class Readings:
    """A box's use and a clock, both moved by the test."""

    def __init__(self) -> None:
        self.now, self.spent = 100.0, Spent(5, 10.0)

    def measure(self, _: Box) -> Spent | None:
        return self.spent

    def gauge(self) -> Gauge:
        gauge = Gauge(self.measure, clock=lambda: self.now)
        gauge.ask([BOX])
        return gauge


def test_processors_are_told_from_the_second_look_on() -> None:
    readings = Readings()
    gauge = readings.gauge()
    assert gauge.use_of(BOX.id) == Use()
    gauge.look()
    assert gauge.use_of(BOX.id) == Use(memory=5)
    readings.now, readings.spent = 104.0, Spent(7, 16.0)
    gauge.look()
    assert gauge.use_of(BOX.id) == Use(memory=7, cpu=1.5)


def test_a_counter_that_begins_anew_is_no_negative_use() -> None:
    readings = Readings()
    gauge = readings.gauge()
    gauge.look()
    readings.now, readings.spent = 105.0, Spent(7, 0.0)
    gauge.look()
    assert gauge.use_of(BOX.id).cpu == 0.0


def test_a_box_that_is_gone_is_forgotten() -> None:
    readings = Readings()
    gauge = readings.gauge()
    gauge.look()
    gauge.ask([])
    gauge.look()
    assert gauge.use_of(BOX.id) == Use()


def test_a_box_that_cannot_be_measured_harms_nobody() -> None:
    def fail(_: Box) -> Spent | None:
        raise EngineFailed("A box cannot be measured: the engine is away.")

    gauge = Gauge(fail)
    gauge.ask([BOX])
    gauge.look()
    assert gauge.use_of(BOX.id) == Use()


@pytest.mark.parametrize("file_pages", ["total_inactive_file", "inactive_file"])
def test_memory_is_counted_without_what_the_kernel_can_take_back(file_pages: str) -> None:
    told = {
        "memory_stats": {"usage": 1000, "stats": {file_pages: 300}},
        "cpu_stats": {"cpu_usage": {"total_usage": 2_500_000_000}},
    }
    assert read_stats(told) == Spent(700, 2.5)


@pytest.mark.parametrize("told", [{}, {"memory_stats": {}}, {"memory_stats": {"usage": 0}, "cpu_stats": None}])
def test_a_container_that_does_not_run_has_no_use(told: dict[str, Any]) -> None:
    assert read_stats(json.loads(json.dumps(told))) is None


def test_a_container_that_ends_while_it_is_asked_about_has_no_use() -> None:
    class Api:
        def stats(self, *_: Any, **__: Any) -> Any:
            raise requests.JSONDecodeError("Expecting value", "", 0)

    assert measure(Engine(Api(), "node", "/folder"), "box") is None


def test_every_heartbeat_tells_memory_and_processors_and_a_slow_engine_holds_none_up(tmp_path: Path) -> None:
    server, halt, over, stuck = MemoryServer(), threading.Event(), threading.Event(), threading.Event()
    runner = MemoryRunner(tmp_path / "boxes", {"main.py": lambda *_: int(not over.wait(SECONDS))})
    looks: list[BoxId] = []

    def measure(box: Box) -> Spent | None:
        looks.append(box.id)
        if len(looks) > 2:
            stuck.wait(SECONDS)
        return Spent(2**20, float(len(looks)))

    runner.measure = measure  # type: ignore[method-assign]
    mounts = (Mount("/app", Tree((FileEntry("main.py", 0, server.keep(b"")),))),)
    server.offer(RunSpec(1, 1, RunKind.TRAIN, "u/d/1", "default", ("python", "-u", "main.py"), mounts), "token")
    agent = Agent(server, runner, BlobCache(tmp_path / "cache"), Capacity(2, 2**30), halt)
    agent.start()
    try:
        agent.take(1, "token")
        server.wait_for(lambda: server.uses.get(BoxId(1, 1), Use()).cpu is not None)
        assert server.uses[BoxId(1, 1)].memory == 2**20
        server.wait_for(lambda: len(looks) == 3)
        server.uses.clear()  # the third look hangs, and heartbeats go on with what is known
        server.wait_for(lambda: BoxId(1, 1) in server.uses)
    finally:
        over.set()
        stuck.set()
        server.wait_for_end(BoxId(1, 1))
        agent.leave()


def test_a_supervisor_that_outlives_its_box_by_a_moment_is_not_measured(tmp_path: Path) -> None:
    runner = ProcessRunner(tmp_path / "boxes", tmp_path, {}, LADDER[-1])
    box = runner.find(SPEC, "token")
    box.create()
    with (box.folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(str(os.getpid()))
        lock.flush()
        assert runner.measure(box) is not None
        write_fields(str(box.folder / EXIT), [])
        assert runner.measure(box) is None
