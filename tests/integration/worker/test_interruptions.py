"""Workers, servers and networks that vanish: nothing is lost, and nothing comes twice."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from nsml_worker.box import BoxId
from nsml_worker.contract import EndReason, EventKind
from nsml_worker.memory_server import SECONDS

# Prints numbered lines and saves a checkpoint now and then, until a file appears; then says how many lines there were.
COUNTER = """
import json, os, sys, time
home = os.environ["NSML_HOME"]
n = 0
while not os.path.exists("enough"):
    n += 1
    print("line", n)
    if n % 50 == 0:
        os.makedirs(home + "/checkpoints/c%d" % n)
        open(home + "/checkpoints/c%d/model" % n, "w").write("model %d" % n)
        with open(home + "/journal", "a") as file:
            file.write(json.dumps({"k": "save", "t": 1, "name": str(n), "dir": "c%d" % n, "summary": {}}) + "\\n")
    time.sleep(0.001)
"""


def tell_enough(site: Any, box: BoxId) -> None:
    (site.folder / "boxes" / str(box) / "app" / "enough").touch()


def check_nothing_lost(site: Any, box: BoxId) -> None:
    lines = site.memory.stream(1, "log").decode().splitlines()
    assert lines == [f"line {n}" for n in range(1, len(lines) + 1)]
    saved = [event.data["name"] for event in site.memory.events[box] if event.kind is EventKind.CHECKPOINT]
    assert saved == [str(n) for n in range(50, len(lines) + 1, 50)]
    assert [event.seq for event in site.memory.events[box]] == list(range(1, len(site.memory.events[box]) + 1))


def test_a_later_worker_goes_on_without_hole_or_duplicate(site: Any, wait_until: Any) -> None:
    box = site.offer(COUNTER)
    first = site.start_worker()
    first.take(1, "run-secret-canary")
    site.wait_for_output(1, b"line 60\n")
    site.leave()
    told = len(site.memory.stream(1, "log"))
    wait_until(lambda: (site.folder / "boxes" / str(box) / "log").stat().st_size > told)
    site.start_worker()
    site.memory.wait_for(lambda: len(site.memory.hellos) == 2)
    assert site.memory.hellos[-1] == [box]
    site.memory.wait_for(lambda: len(site.memory.stream(1, "log")) > told)
    tell_enough(site, box)
    assert site.memory.wait_for_end(box).reason is EndReason.EXITED
    check_nothing_lost(site, box)
    wait_until(site.is_clean)


def test_a_box_that_ended_while_no_worker_looked_is_told_by_the_next(site: Any, wait_until: Any) -> None:
    box = site.offer(COUNTER)
    first = site.start_worker()
    first.take(1, "run-secret-canary")
    site.wait_for_output(1, b"line 10\n")
    site.leave()
    tell_enough(site, box)
    wait_until(lambda: (site.folder / "boxes" / str(box) / "exit").exists())
    site.start_worker()
    assert site.memory.wait_for_end(box).reason is EndReason.EXITED
    check_nothing_lost(site, box)


def test_what_a_box_says_while_the_server_is_away_arrives_afterwards(site: Any, wait_until: Any) -> None:
    box = site.offer(COUNTER)
    site.start_worker().take(1, "run-secret-canary")
    site.wait_for_output(1, b"line 10\n")
    site.server.broken.set()
    tell_enough(site, box)
    wait_until(lambda: (site.folder / "boxes" / str(box) / "exit").exists())
    site.server.broken.clear()
    assert site.memory.wait_for_end(box).reason is EndReason.EXITED
    check_nothing_lost(site, box)
    wait_until(site.is_clean)


def test_a_finished_box_is_kept_until_the_server_knows_its_end(site: Any, wait_until: Any) -> None:
    box = site.offer(COUNTER)
    first = site.start_worker()
    first.take(1, "run-secret-canary")
    site.wait_for_output(1, b"line 10\n")
    site.server.broken.set()
    tell_enough(site, box)
    wait_until(lambda: (site.folder / "boxes" / str(box) / "exit").exists())
    site.leave()
    site.server.broken.clear()
    assert all(event.kind is not EventKind.ENDED for event in site.memory.events[box])
    assert not site.is_clean()
    site.start_worker()
    assert site.memory.wait_for_end(box).reason is EndReason.EXITED
    check_nothing_lost(site, box)
    wait_until(site.is_clean)


def test_a_box_without_its_supervisor_is_lost_and_says_so(site: Any, wait_until: Any) -> None:
    box = site.offer("import time; print('here'); time.sleep(600)")
    first = site.start_worker()
    first.take(1, "run-secret-canary")
    site.wait_for_output(1, b"here\n")
    pid = int((site.folder / "boxes" / str(box) / "lock").read_text())
    os.kill(pid, signal.SIGKILL)
    assert site.memory.wait_for_end(box).reason is EndReason.BOX_LOST
    wait_until(site.is_clean)


def test_a_stale_box_found_on_disk_is_removed_when_the_server_says_so(site: Any, wait_until: Any) -> None:
    box = site.offer("import time; print('here'); time.sleep(600)")
    first = site.start_worker()
    first.take(1, "run-secret-canary")
    site.wait_for_output(1, b"here\n")
    site.leave()
    assert not site.is_clean()
    site.memory.drops.append(box)
    site.start_worker()
    wait_until(site.is_clean)
    assert all(event.kind is not EventKind.ENDED for event in site.memory.events.get(box, []))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_worker_process_leaves_its_boxes_to_the_next(site: Any, how: int) -> None:
    """The whole program: `python -m nsml_worker` with a broker that is a file, sent a message as the server does."""
    broker = f"sqla+sqlite:///{site.folder}/broker.sqlite"
    environment = {
        "PATH": os.environ["PATH"],
        "NSML_RUNNER": "process",
        "NSML_SERVER_URL": site.server.url,
        "NSML_NODE": "local",
        "NSML_NODE_TOKEN_FILE": str(site.token_file),
        "NSML_BROKER_URL": broker,
        "NSML_WORKER_DATA": str(site.folder),
        "NSML_CONFINEMENT": "none",
    }
    box = site.offer(COUNTER)
    send_message(site.folder, broker, 1, "run-secret-canary")
    with (site.folder / "worker.log").open("wb") as said:
        with running(environment, said) as worker:
            site.wait_for_output(1, b"line 60\n")
            worker.send_signal(how)
            worker.wait(SECONDS)
        with running(environment, said) as worker:
            site.memory.wait_for(lambda: len(site.memory.hellos) == 2)
            assert site.memory.hellos[-1] == [box]
            tell_enough(site, box)
            assert site.memory.wait_for_end(box).reason is EndReason.EXITED
            worker.terminate()
            assert worker.wait(SECONDS) == 0
    check_nothing_lost(site, box)
    assert site.memory.farewells == (2 if how == signal.SIGTERM else 1)
    assert (site.folder / "worker.log").read_text().count("Traceback") == 0


@contextlib.contextmanager
def running(environment: dict[str, str], said: BinaryIO) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process, of which nothing is left afterwards."""
    worker = subprocess.Popen([sys.executable, "-m", "nsml_worker"], env=environment, stderr=said)
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait()


def send_message(folder: Path, broker: str, run_id: int, token: str) -> None:
    """In a process of its own: the client's database connections end with it."""
    program = f"""
from celery import Celery
app = Celery(broker={broker!r})
app.send_task("nsml.run", [{run_id}, {token!r}], queue="node.local")
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=folder)
