"""Workers that vanish while containers run: nothing is lost, nothing comes twice, and nothing stays behind."""

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
from nsml_worker.containers import runner
from nsml_worker.contract import EndReason, EventKind, Limits
from nsml_worker.errors import Leaving
from nsml_worker.memory_server import SECONDS

# Prints numbered lines and saves a checkpoint now and then, until a file appears; then says how many lines there were.
COUNTER = """
import json, os, time
n = 0
while not os.path.exists("enough"):
    n += 1
    print("line", n)
    if n % 50 == 0:
        os.makedirs("/nsml/checkpoints/c%d" % n)
        open("/nsml/checkpoints/c%d/model" % n, "w").write("model %d" % n)
        with open("/nsml/journal", "a") as file:
            file.write(json.dumps({"k": "save", "t": 1, "name": str(n), "dir": "c%d" % n, "summary": {}}) + "\\n")
    time.sleep(0.002)
"""
DEAF = "import signal, time\nfor n in (1, 15): signal.signal(n, signal.SIG_IGN)\nprint('here'); time.sleep(600)"
TOKEN = "run-secret-canary"


def begin(site: Any, program: str, text: bytes, **more: Any) -> BoxId:
    """A worker has it, and it has said something."""
    box, worker = site.offer(program, **more), site.start_worker()
    worker.take(1, TOKEN)
    site.wait_for_output(1, text)
    return box


def tell_enough(site: Any, box: BoxId) -> None:
    (site.boxes / str(box) / "disk/app/enough").touch()


def check_nothing_lost(site: Any, box: BoxId) -> None:
    lines = site.memory.stream(1, "log").decode().splitlines()
    assert lines == [f"line {n}" for n in range(1, len(lines) + 1)]
    saved = [event.data["name"] for event in site.memory.events[box] if event.kind is EventKind.CHECKPOINT]
    assert saved == [str(n) for n in range(50, len(lines) + 1, 50)]
    assert [event.seq for event in site.memory.events[box]] == list(range(1, len(site.memory.events[box]) + 1))


def test_a_later_worker_goes_on_without_hole_or_duplicate(docker_site: Any, wait_until: Any) -> None:
    box = begin(docker_site, COUNTER, b"line 60\n")
    docker_site.leave()
    told = len(docker_site.memory.stream(1, "log"))
    wait_until(lambda: (docker_site.boxes / str(box) / "disk/keep/log").stat().st_size > told)
    docker_site.start_worker()
    docker_site.memory.wait_for(lambda: len(docker_site.memory.hellos) == 2)
    assert docker_site.memory.hellos[-1] == [box]
    docker_site.memory.wait_for(lambda: len(docker_site.memory.stream(1, "log")) > told)
    tell_enough(docker_site, box)
    assert docker_site.memory.wait_for_end(box).reason is EndReason.EXITED
    check_nothing_lost(docker_site, box)
    wait_until(lambda: docker_site.list_rest() == [])


def test_a_box_that_ended_while_no_worker_looked_is_told_by_the_next(docker_site: Any, wait_until: Any) -> None:
    box = begin(docker_site, COUNTER, b"line 10\n")
    docker_site.leave()
    tell_enough(docker_site, box)
    wait_until(lambda: docker_site.engine.containers("box")[0]["State"] == "exited")
    docker_site.start_worker()
    assert docker_site.memory.wait_for_end(box).reason is EndReason.EXITED
    check_nothing_lost(docker_site, box)
    wait_until(lambda: docker_site.list_rest() == [])


def test_a_box_s_time_goes_on_while_no_worker_looks(docker_site: Any, wait_until: Any) -> None:
    docker_site.grace = 0.3
    box = begin(docker_site, DEAF, b"here\n", limits=Limits(wall_clock=10))
    docker_site.leave()
    docker_site.start_worker()
    assert docker_site.memory.wait_for_end(box).reason is EndReason.WALL_CLOCK
    wait_until(lambda: docker_site.list_rest() == [])


def test_what_one_worker_asked_the_next_one_carries_out(docker_site: Any, wait_until: Any) -> None:
    docker_site.grace = 3.0
    box = begin(docker_site, DEAF, b"here\n")
    docker_site.memory.stops.append(box)
    docker_site.agents[-1].look()
    wait_until(lambda: (docker_site.boxes / str(box) / "asked").exists())
    docker_site.leave()
    docker_site.memory.stops.clear()
    docker_site.start_worker()
    assert docker_site.memory.wait_for_end(box).reason is EndReason.STOPPED
    wait_until(lambda: docker_site.list_rest() == [])


def test_a_box_that_was_killed_while_nobody_looked_is_not_blamed(docker_site: Any, wait_until: Any) -> None:
    box = begin(docker_site, DEAF, b"here\n")
    docker_site.leave()
    docker_site.engine.api.kill(docker_site.engine.containers("box")[0]["Id"], "SIGKILL")
    docker_site.start_worker()
    assert docker_site.memory.wait_for_end(box).reason is EndReason.BOX_LOST
    wait_until(lambda: docker_site.list_rest() == [])


def test_what_a_program_does_to_itself_under_the_eyes_of_a_later_worker_is_its_own(
    docker_site: Any, wait_until: Any
) -> None:
    program = (
        "import os, time; print('here', flush=True)\nwhile not os.path.exists('enough'): time.sleep(0.01)\n"
        "os.kill(os.getppid(), 9); time.sleep(600)"
    )
    box = begin(docker_site, program, b"here\n")
    docker_site.leave()
    docker_site.start_worker()
    wait_until(lambda: docker_site.runners[-1]._endings._events.since < float("inf"))
    tell_enough(docker_site, box)
    assert docker_site.memory.wait_for_end(box).reason is EndReason.SIGNALLED
    wait_until(lambda: docker_site.list_rest() == [])


def test_after_a_restart_of_the_machine_what_the_box_had_written_still_arrives(
    docker_site: Any, wait_until: Any
) -> None:
    program = COUNTER + 'open("last", "w").write("line %d\\n" % n)\ntime.sleep(600)\n'
    box = begin(docker_site, program, b"line 60\n")
    docker_site.leave()
    tell_enough(docker_site, box)
    disk = docker_site.boxes / str(box) / "disk"
    wait_until(lambda: (disk / "app/last").exists() and (disk / "app/last").read_text().endswith("\n"))
    wait_until(lambda: (disk / "keep/log").read_text().endswith((disk / "app/last").read_text()))
    docker_site.engine.api.kill(docker_site.engine.containers("box")[0]["Id"], "SIGKILL")
    wait_until(lambda: docker_site.engine.containers("box")[0]["State"] == "exited")
    subprocess.run(["umount", disk], check=True)
    docker_site.start_worker()
    assert docker_site.memory.wait_for_end(box).reason is EndReason.BOX_LOST
    check_nothing_lost(docker_site, box)
    wait_until(lambda: docker_site.list_rest() == [])


def test_only_what_is_ours_and_belongs_to_no_box_is_collected(
    docker_site: Any, docker_engine: Any, base_image: str
) -> None:
    def make(**labels: str) -> str:
        return str(docker_engine.create_container(base_image, "sleep 1", labels=labels)["Id"])

    ours = docker_site.engine.labels("box")
    orphan = make(**ours, **{"nsml.run": "77", "nsml.attempt": "1"})
    others = [make(), make(**{**ours, "nsml.folder": "/elsewhere"}), make(**{**ours, "nsml.node": "another"})]
    try:
        docker_site.start_worker()
        assert docker_site.engine.inspect(orphan) is None
        assert all(docker_site.engine.inspect(other) for other in others)
    finally:
        for other in others:
            docker_engine.remove_container(other)


def test_a_box_that_was_being_removed_is_removed_by_the_next_worker(docker_site: Any, wait_until: Any) -> None:
    box = begin(docker_site, DEAF, b"here\n")
    docker_site.leave()
    (docker_site.boxes / str(box) / "record.json").unlink()
    assert docker_site.list_rest() != []
    docker_site.start_worker()
    wait_until(lambda: docker_site.list_rest() == [])


def test_one_that_was_made_and_not_started_is_made_again(
    docker_site: Any, wait_until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> None:
        raise Leaving("killed between the engine's two requests")

    box = docker_site.offer("print('here')")
    with monkeypatch.context() as patch:
        patch.setattr(runner, "write_fields", die)
        first = docker_site.start_worker()
        first.take(1, TOKEN)
        wait_until(lambda: docker_site.engine.containers("box") and not first.boxes())
        docker_site.leave()
    (made,) = docker_site.engine.containers("box")
    assert made["State"] == "created"
    docker_site.start_worker()
    assert docker_site.memory.wait_for_end(box).reason is EndReason.EXITED
    assert docker_site.memory.stream(1, "log") == b"here\n"
    wait_until(lambda: docker_site.list_rest() == [])


def test_a_stale_box_is_removed_when_the_server_says_so(docker_site: Any, wait_until: Any) -> None:
    box = begin(docker_site, DEAF, b"here\n")
    docker_site.leave()
    assert docker_site.list_rest() != []
    docker_site.memory.drops.append(box)
    docker_site.start_worker()
    wait_until(lambda: docker_site.list_rest() == [])
    assert all(event.kind is not EventKind.ENDED for event in docker_site.memory.events.get(box, []))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_worker_process_leaves_its_containers_to_the_next(
    docker_site: Any, wait_until: Any, how: int, runtime_prefix: str
) -> None:
    """The whole program: `python -m nsml_worker` with a broker that is a file, sent a message as the server does."""
    site, broker = docker_site, f"sqla+sqlite:///{docker_site.folder}/broker.sqlite"
    environment = {
        "PATH": os.environ["PATH"], "NSML_SERVER_URL": site.server.url, "NSML_NODE": "local",
        "NSML_NODE_TOKEN_FILE": str(site.token_file), "NSML_BROKER_URL": broker, "NSML_WORKER_DATA": str(site.folder),
        "NSML_RUNNER": "docker", "NSML_IMAGE_PREFIX": runtime_prefix, "NSML_BOX_DISK": str(2**26),
    }  # fmt: skip
    box = site.offer(COUNTER)
    send_message(site.folder, broker, 1, TOKEN)
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
            wait_until(lambda: site.list_rest() == [])
            worker.terminate()
            assert worker.wait(SECONDS) == 0
    check_nothing_lost(site, box)
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
