"""A worker beside a server of another version."""

import threading
from pathlib import Path
from typing import Any

import pytest
import structlog

from nsml_worker import agent as agents
from nsml_worker.agent import Agent
from nsml_worker.box import BoxId
from nsml_worker.contract import Capacity, Environment, EventKind, RunKind, RunSpec
from nsml_worker.errors import ServerRefused
from nsml_worker.materialise import BlobCache
from nsml_worker.memory_server import MemoryServer
from nsml_worker.runner import MemoryRunner, describe_node
from nsml_worker.version import VERSION


class NewerServer(MemoryServer):
    """It says more than this worker knows, and at first no."""

    def __init__(self, refusals: int = 0) -> None:
        super().__init__()
        self.refusals = refusals

    def hello(self, capacity: Capacity, boxes: list[BoxId]) -> dict[str, Any]:
        if self.refusals:
            self.refusals -= 1
            raise ServerRefused("The server answered 422 to /hello: This capacity cannot be read.")
        return {**super().hello(capacity, boxes), "version": "999.0", "advice": "update the worker", "moon": "full"}


def start(folder: Path, server: MemoryServer) -> Agent:
    runner = MemoryRunner(folder / "boxes", {})
    agent = Agent(server, runner, BlobCache(folder / "cache"), describe_node(runner, Capacity(1, 1)), threading.Event())
    agent.start()
    return agent


def test_a_worker_tells_its_version_and_repeats_what_the_server_advises(tmp_path: Path) -> None:
    server = NewerServer()
    with structlog.testing.capture_logs() as logs:
        agent = start(tmp_path, server)
        server.wait_for(lambda: any(entry["event"] == "versions_differ" for entry in logs))
        agent.leave()
    assert server.capacity is not None
    assert server.capacity.version == VERSION
    assert {"event": "versions_differ", "said": "update the worker", "log_level": "warning"} in logs


def test_a_worker_that_is_refused_asks_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "AFTER_REFUSAL", 0.01)
    server = NewerServer(refusals=2)
    agent = start(tmp_path, server)
    server.wait_for(lambda: bool(server.hellos))
    agent.leave()
    assert server.refusals == 0


def test_what_a_newer_server_adds_is_ignored() -> None:
    spec = RunSpec(1, 1, RunKind.TRAIN, "u/d/1", "default", ("python",), (), environment_of=Environment())
    told = spec.to_dict()
    told |= {"priority": 9, "limits": {**told["limits"], "watts": 300}}
    assert RunSpec.from_dict(told) == spec


def test_an_event_of_a_kind_that_is_not_known_is_another_one() -> None:
    assert EventKind("migrated") is EventKind.OTHER
    with pytest.raises(ValueError, match="7"):
        EventKind(7)
