"""The worker's environment, and what happens when it dies."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nsml_server.embedded import child
from nsml_server.embedded.banner import greet, part
from nsml_server.embedded.child import WorkerChild, worker_environment
from nsml_server.embedded.folder import DataFolder


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    made = DataFolder(tmp_path / "data")
    yield made
    made.close()


def test_the_worker_is_told_where_things_are_and_nothing_else_of_ours(folder: DataFolder) -> None:
    environment = worker_environment(folder, "http://x", {"PATH": "/bin", "NSML_TOKEN": "t", "NSMLCTL_HOME": "h"})
    ours = {name for name in environment if name.startswith("NSML")}
    assert ours == {
        "NSML_SERVER_URL", "NSML_NODE", "NSML_NODE_TOKEN_FILE", "NSML_BROKER_URL", "NSML_WORKER_DATA", "NSML_CONFINEMENT",
    }  # fmt: skip
    assert environment["PATH"] == "/bin"
    assert environment["NSML_CONFINEMENT"] == "auto"


def test_the_worker_is_told_of_runtimes_that_are_there_unless_somebody_says_otherwise(
    folder: DataFolder, tmp_path: Path
) -> None:
    home = {"HOME": str(tmp_path)}
    assert "NSML_RUNTIMES" not in worker_environment(folder, "http://x", home)
    made = tmp_path / ".cache/nsmlctl/runtimes"
    made.mkdir(parents=True)
    assert worker_environment(folder, "http://x", home)["NSML_RUNTIMES"] == str(made)
    assert worker_environment(folder, "http://x", {**home, "NSML_RUNTIMES": ""})["NSML_RUNTIMES"] == ""


@pytest.fixture
def dying(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> WorkerChild:
    """A worker that ends with exit code 3 as soon as it is started."""
    start = subprocess.Popen

    def start_other(_: list[str], **options: Any) -> Any:
        options.pop("preexec_fn")
        return start([sys.executable, "-I", "-S", "-c", "raise SystemExit(3)"], **options)

    monkeypatch.setattr(subprocess, "Popen", start_other)
    return WorkerChild(folder, "http://x", {})


def test_a_worker_that_dies_is_started_again_with_growing_pauses(
    dying: WorkerChild, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(child.time, "monotonic", lambda: now[0])
    dying.start()
    pauses = []
    for _ in range(9):
        assert dying._process is not None
        dying._process.wait()
        said = dying.tend()
        assert said is not None
        assert "exit code 3" in said
        pauses.append(dying._pause)
        assert dying.tend() is None
        assert dying._process is None, "not before its pause is over"
        now[0] += dying._pause
        dying.tend()
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, 30.0]
    now[0] += child.STEADY
    dying._process.wait()
    dying.tend()
    assert dying._pause == child.FIRST_PAUSE
    dying.leave()


def test_the_greeting_says_where_what_and_how_boxes_are_sealed() -> None:
    text = greet("http://127.0.0.1:8080", Path("/data"), "none", "http://127.0.0.1:8080/enter/x", "mina")
    for fragment in ("http://127.0.0.1:8080", "/data", "for people you trust", "/enter/x", "nsmlctl run"):
        assert fragment in text
    assert "in containers" in greet("u", Path("/d"), "docker", "l", "m")
    assert "sessions wait" in greet("u", Path("/d"), None, "l", "m")


def test_the_parting_names_what_goes_on() -> None:
    assert part([], 5) == "Stopping."
    text = part([f"mina/kin/{number}" for number in range(12)], 5)
    assert "mina/kin/0" in text
    assert "and 2 more" in text
    assert "Ctrl-C again" in text
