"""One look of the dispatcher at a long line, with the rows of a year behind it, on SQLite in a file.

`python -m benchmarks.rounds` prints how long a round takes, and for how much of it nobody else can write.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select, text, update

from benchmarks.placement import SHAPES, make_nodes
from benchmarks.table import Row, compare
from nsml_server.broker import MemoryBroker
from nsml_server.clock import MemoryClock
from nsml_server.domain.states import RunState
from nsml_server.services import placing
from nsml_server.services.platform import Platform
from nsml_server.settings import Settings
from nsml_server.storage import migrations
from nsml_server.storage.blobs import MemoryBlobStore
from nsml_server.storage.database import Database
from nsml_server.storage.streams import MemoryStreamStore
from nsml_server.storage.tables import Manifest, Node, Run, Session, User
from nsml_worker.contract import Capacity, RunKind

WAITING, PAST, USERS = 10_000, 100_000, 500
NOW = 1_800_000_000.0
ROUNDS = 7
ROWS = "SELECT id, user_id, kind, cpus, gpus, memory, queued_at, gpu_model FROM runs WHERE state = 'queued'"


class Stopwatch:
    """Milliseconds that writing transactions were open."""

    def __init__(self, database: Database) -> None:
        self.spent = 0.0
        self._write = database.write
        database.write = self._timed  # type: ignore[method-assign]

    @contextmanager
    def _timed(self) -> Iterator[Any]:
        begun = time.perf_counter()
        try:
            with self._write() as tx:
                yield tx
        finally:
            self.spent += (time.perf_counter() - begun) * 1e3


def rows() -> list[Row]:
    """Against reading the line's rows by themselves: no round can be quicker."""
    with tempfile.TemporaryDirectory() as folder:
        platform = make_platform(Path(folder))
        stopwatch = Stopwatch(platform.database)
        placing.place_waiting(platform)  # tells everybody for the first time
        floor = median(lambda: read_rows(platform))
        stopwatch.spent = 0.0
        idle = median(lambda: placing.place_waiting(platform))
        locked = stopwatch.spent / ROUNDS
        stopwatch.spent = 0.0
        moved = median(lambda: placing.place_waiting(platform), before=lambda: end_one(platform))
        placed = stopwatch.spent / ROUNDS
        platform.database.close()
    print(
        f"reading {WAITING:,} rows takes {floor:.0f} ms; a round without a place {idle:.0f} ms, with one {moved:.0f} ms"
    )
    return [
        compare(f"round over {WAITING:,} that wait, vs reading their rows", idle, floor, goal=None, unit="ms"),
        compare("the same with a place to give out, vs reading their rows", moved, floor, goal=None, unit="ms"),
        compare("of the former nobody else can write for, vs reading the rows", locked, floor, goal=0.1, unit="ms"),
        compare("of the latter nobody else can write for, vs reading the rows", placed, floor, goal=5, unit="ms"),
    ]


def make_platform(folder: Path) -> Platform:
    """200 machines that are full, a line behind them, and a history."""
    database = Database(f"sqlite:///{folder / 'nsml.sqlite'}")
    migrations.upgrade(database)
    platform = Platform(
        Settings(data=folder), database, MemoryBlobStore(), MemoryStreamStore(), MemoryBroker(), MemoryClock(NOW)
    )
    with database.write() as tx:
        users = [{"id": number + 1, "name": f"user{number}", "created_at": 0.0} for number in range(USERS)]
        tx.execute(insert(User), users)
        tx.execute(insert(Manifest), [{"hash": "0" * 64, "size": 0, "files": b"[]"}])
        tx.execute(insert(Session), [_session(number) for number in range(WAITING + PAST + 2000)])
        tx.execute(insert(Node), [_node(view, number) for number, view in enumerate(make_nodes())])
        tx.execute(insert(Run), list(_make_runs()))
    return platform


def median(what: Callable[[], object], before: Callable[[], object] = lambda: None) -> float:
    """Milliseconds."""
    taken = []
    for _ in range(ROUNDS):
        before()
        begun = time.perf_counter()
        what()
        taken.append((time.perf_counter() - begun) * 1e3)
    return statistics.median(taken)


def read_rows(platform: Platform) -> int:
    """What every round has to do at least."""
    with platform.database.read() as tx:
        return len(tx.execute(text(ROWS)).all())


def end_one(platform: Platform) -> None:
    """A machine with eight devices comes free."""
    with platform.database.write() as tx:
        running = select(func.min(Run.node_id)).where(Run.state == RunState.RUNNING).scalar_subquery()
        there = update(Run).where(Run.node_id == running, Run.state == RunState.RUNNING)
        tx.execute(there.values(state=RunState.EXITED, ended_at=NOW), execution_options={"synchronize_session": False})


def _session(number: int) -> dict[str, Any]:
    fixed = {"code": "0" * 64, "entry": "main.py", "image": "default", "created_at": NOW, "dataset": "None"}
    return {"id": number + 1, "user_id": number % USERS + 1, "number": number + 1, **fixed}


def _node(view: Any, number: int) -> dict[str, Any]:
    gpus = tuple(
        {"uuid": gpu.uuid, "model": gpu.model, "memory": gpu.memory, "driver": gpu.driver} for gpu in view.gpus
    )
    capacity = Capacity(cpus=view.cpus, memory=view.memory, gpus=gpus).to_dict()
    return {"id": number + 1, "name": view.name, "capacity": capacity, "connected": True, "seen_at": NOW}


def _make_runs() -> Iterator[dict[str, Any]]:
    number = 0

    def run(state: RunState, cpus: int, gpus: int, memory: int, **more: Any) -> dict[str, Any]:
        nonlocal number
        number += 1
        columns = {"id": number, "session_id": number, "user_id": number % USERS + 1, "kind": RunKind.TRAIN}
        columns |= {"image": "default", "queued_at": NOW - 3600 + number / 100, "devices": [], "node_id": None}
        columns |= {"started_at": None, "ended_at": None}
        return {**columns, "state": state, "cpus": cpus, "gpus": gpus, "memory": memory, **more}

    for index, view in enumerate(make_nodes()):
        for device in view.gpus or (None,):
            devices = [device.uuid] if device else []
            share = {"cpus": view.cpus // max(1, len(view.gpus)), "gpus": len(devices), "memory": 0}
            held = {"node_id": index + 1, "devices": devices, "started_at": NOW - 600}
            yield run(RunState.RUNNING, **share, **held)
    for index in range(WAITING):
        gpus, cpus, memory, _ = SHAPES[index % len(SHAPES)]
        yield run(RunState.QUEUED, cpus, gpus, memory)
    for index in range(PAST):
        ended = NOW - 300 * index  # a year
        yield run(RunState.EXITED, 1, 1, 0, started_at=ended - 600, ended_at=ended)


if __name__ == "__main__":
    rows()
