"""What a run does when the server, the disk or the engine fails it: its box is seen to its end nevertheless."""

import contextlib
import errno
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nsml_worker.agent import Agent
from nsml_worker.box import EXIT, PLAN, Box, BoxId
from nsml_worker.contract import Capacity, EndReason, EventKind, FileEntry, Mount, RunEvent, RunKind, RunSpec, Tree
from nsml_worker.errors import EngineFailed, ServerRefused
from nsml_worker.event_log import EventLog
from nsml_worker.fields import write_fields
from nsml_worker.materialise import BlobCache
from nsml_worker.memory_server import SECONDS, MemoryRun, MemoryServer
from nsml_worker.run import Run
from nsml_worker.runner import MemoryRunner
from nsml_worker.streaming import Watch

BOX = BoxId(1, 1)


class Refusing(MemoryServer):
    """Says no to an end, or to what a stream holds, as long as `refuses` names it."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses = ""
        self.refused = 0

    def of_run(self, run_id: int, token: str, stop: threading.Event) -> "RefusedRun":
        return RefusedRun(self, run_id, token)

    def refuse(self, what: str) -> None:
        if what == self.refuses:
            self.refused += 1
            self.notice()
            raise ServerRefused("No.")


class RefusedRun(MemoryRun):
    """RunApi of such a server."""

    _server: Refusing

    def tell(self, attempt: int, events: list[RunEvent]) -> int:
        if any(event.kind is EventKind.ENDED for event in events):
            self._server.refuse("end")
        return super().tell(attempt, events)

    def append(self, stream: str, offset: int, data: bytes) -> int:
        if data:
            self._server.refuse(stream)
        return super().append(stream, offset, data)


class Node:
    """One node in memory, and the program of its only run."""

    def __init__(self, folder: Path) -> None:
        self.server, self.halt = Refusing(), threading.Event()
        self.program: Callable[[Box, Callable[[bytes], object], threading.Event], int] = lambda *_: 0
        self.runner = MemoryRunner(folder / "boxes", {"main.py": lambda *given: self.program(*given)})
        self.cache = BlobCache(folder / "cache")
        tree = Tree((FileEntry("main.py", 0, self.server.keep(b"")),))
        self.spec = RunSpec(1, 1, RunKind.TRAIN, "u/d/1", "default", ("python", "main.py"), (Mount("/app", tree),))
        self.server.offer(self.spec, "token")
        self.box = self.runner.find(self.spec, "token")
        self.agent = Agent(self.server, self.runner, self.cache, Capacity(2, 2**30), self.halt)

    def run(self) -> None:
        self.agent.start()
        self.agent.take(1, "token")

    def wait_until_clean(self) -> None:
        self.server.wait_for(lambda: not self.agent.boxes())
        assert not self.box.folder.exists()

    def kinds(self) -> list[EventKind]:
        return [event.kind for event in self.server.events.get(BOX, [])]


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    monkeypatch.setattr("nsml_worker.attempts.AFTER_REFUSAL", 0.01)
    made = Node(tmp_path)
    yield made
    made.agent.leave()


def write_line(box: Box, text: str) -> None:
    with (box.home / "journal").open("a") as journal:
        journal.write(text + "\n")


def save(box: Box, name: str) -> None:
    folder = box.home / "checkpoints" / name
    folder.mkdir()
    (folder / "model").write_text(name)
    write_line(box, json.dumps({"k": "save", "t": 1, "name": name, "dir": name, "summary": {}}))


def test_an_end_that_is_refused_is_told_again_and_its_box_is_listed_meanwhile(node: Node) -> None:
    node.server.refuses = "end"
    node.run()
    node.server.wait_for(lambda: node.server.refused > 2)
    assert node.agent.boxes() == [BOX]
    node.server.refuses = ""
    assert node.server.wait_for_end(BOX).reason is EndReason.EXITED
    node.wait_until_clean()


def test_a_box_whose_end_is_refused_goes_when_it_is_dropped(node: Node) -> None:
    node.server.refuses = "end"
    node.run()
    node.server.wait_for(lambda: node.server.refused > 0)
    node.server.drops.append(BOX)
    node.wait_until_clean()
    assert EventKind.ENDED not in node.kinds()


def test_an_end_for_which_the_disk_has_no_room_is_told_when_there_is_some(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = threading.Semaphore(0)
    note = EventLog.note

    def note_on_a_full_disk(events: EventLog, kind: EventKind, data: dict[str, Any] | None = None) -> None:
        if kind is EventKind.ENDED and full.is_set():
            tried.release()
            raise OSError(errno.ENOSPC, "No space left on device")
        note(events, kind, data)

    full = threading.Event()
    full.set()
    monkeypatch.setattr(EventLog, "note", note_on_a_full_disk)
    node.run()
    assert tried.acquire(timeout=SECONDS)
    assert tried.acquire(timeout=SECONDS), "the end is tried again"
    assert node.agent.boxes() == [BOX]
    full.clear()
    assert node.server.wait_for_end(BOX).reason is EndReason.EXITED
    node.wait_until_clean()


def test_a_box_that_cannot_be_removed_yet_is_removed_later(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    clean, tried = node.runner.clean, []

    def fail_once(box: Box) -> None:
        tried.append(box)
        if len(tried) == 1:
            raise EngineFailed("The engine is away.")
        clean(box)

    monkeypatch.setattr(node.runner, "clean", fail_once)
    node.run()
    node.server.wait_for_end(BOX)
    node.server.wait_for(lambda: len(tried) == 2)
    node.wait_until_clean()
    assert tried == [node.box, node.box]


def test_a_box_whose_disk_is_lost_is_told_and_removed(node: Node) -> None:
    node.box.create()
    write_fields(str(node.box.folder / PLAN), [])
    facts = {"cause": "", "detail": "", "status": "0", "wall_seconds": "1", "cpu_seconds": "1", "peak_memory": "1"}
    write_fields(str(node.box.folder / EXIT), facts.items())
    node.agent.start()
    assert node.server.wait_for_end(BOX).reason is EndReason.EXITED
    node.wait_until_clean()


def test_a_box_of_which_nobody_can_tell_how_it_ended_is_our_fault_and_removed(node: Node) -> None:
    node.box.create()
    write_fields(str(node.box.folder / PLAN), [])
    write_fields(str(node.box.folder / EXIT), [("status", "what")])
    node.agent.start()
    assert node.server.wait_for_end(BOX).reason is EndReason.NODE_ERROR
    node.wait_until_clean()


def test_one_box_that_cannot_be_read_does_not_keep_the_others(node: Node) -> None:
    node.box.create()
    (node.box.folder / "events.jsonl").write_text("half a fa{}\n")
    node.agent.start()
    node.server.wait_for(lambda: bool(node.server.hellos))
    assert node.server.hellos == [[]]
    assert node.box.folder.exists(), "it is left for whoever looks into it"


@pytest.mark.parametrize(
    "line",
    [
        '{"k": "error", "t": 1, "phase": "load", "x": NaN}',
        '{"k": "error", "t": 1, "phase": "load", "x": 1e999}',
        r'{"k": "error", "t": 1, "phase": "load", "x": "\ud800"}',
    ],
)
def test_no_line_of_a_journal_can_keep_a_run_from_its_end(node: Node, line: str) -> None:
    node.program = lambda box, *_: write_line(box, line) or 1
    node.run()
    ended = node.server.wait_for_end(BOX)
    assert (ended.reason, ended.exit_code) == (EndReason.EXIT_CODE, 1)
    json.dumps(ended.to_dict(), ensure_ascii=False, allow_nan=False).encode()
    node.wait_until_clean()


def test_a_checkpoint_that_breaks_its_sender_is_told_as_refused_and_the_next_is_taken(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_for_the_first(home: Path, folder: str) -> Tree:
        if folder == "first":
            raise OverflowError("int too large to convert to float")
        return Tree()

    monkeypatch.setattr("nsml_worker.checkpoints.read_checkpoint", break_for_the_first)
    node.program = lambda box, *_: [save(box, name) for name in ("first", "second")] and 0
    node.run()
    assert node.server.wait_for_end(BOX).reason is EndReason.EXITED
    told = [event.data for event in node.server.events[BOX] if event.kind is EventKind.CHECKPOINT]
    assert [(data["name"], data.get("refused")) for data in told] == [
        ("first", "the platform failed to read it"),
        ("second", None),
    ]


def test_a_run_that_breaks_off_leaves_nobody_in_its_box(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, told_end = threading.Event(), threading.Event()

    def read_slowly(home: Path, folder: str) -> Tree:
        reading.set()
        told_end.wait(0.5)  # as long as the box is not told to have ended, nothing ends this wait early
        seen.append((home / "checkpoints" / folder / "model").exists())
        return Tree()

    def program(box: Box, write: Callable[[bytes], object], _: threading.Event) -> int:
        save(box, "1")
        assert reading.wait(SECONDS)
        node.server.refuses = "log"
        write(b"what the server does not take")
        return 0

    seen: list[bool] = []
    monkeypatch.setattr("nsml_worker.checkpoints.read_checkpoint", read_slowly)
    node.program = program
    before = set(threading.enumerate())
    node.run()
    assert node.server.wait_for_end(BOX).reason is EndReason.NODE_ERROR
    told_end.set()
    node.wait_until_clean()
    assert seen == [True]
    assert not [one for one in set(threading.enumerate()) - before if one.name == "checkpoints"]


class Slow(Watch):
    """A watch of which waking takes as long as the test likes."""

    def __init__(self, box: Box, waking: threading.Event, go_on: threading.Event) -> None:
        super().__init__(box, None, lambda: True)
        self.waking, self.go_on, self.closed = waking, go_on, threading.Event()

    def wake(self) -> None:
        self.waking.set()
        assert self.go_on.wait(SECONDS)
        assert not self.closed.is_set()
        super().wake()

    def close(self) -> None:
        self.closed.set()
        super().close()


def test_a_watch_is_not_closed_under_the_hands_of_whoever_wakes_it(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    waking, go_on, watches, over = threading.Event(), threading.Event(), list[Slow](), threading.Event()

    def watch(box: Box) -> Watch:
        watches.append(Slow(box, waking, go_on))
        return watches[-1]

    monkeypatch.setattr(node.runner, "watch", watch)
    node.program = lambda *_: int(not over.wait(SECONDS))
    node.box.create()
    run = Run(node.box, node.runner, node.server.of_run(1, "token", node.halt), node.cache, threading.Event())
    follower = threading.Thread(target=run.go)
    follower.start()
    node.server.wait_for(lambda: bool(watches) and EventKind.STARTED in node.kinds())
    failures: list[BaseException] = []

    def leave() -> None:
        try:
            run.leave()
        except BaseException as error:
            failures.append(error)

    leaver = threading.Thread(target=leave)
    leaver.start()
    assert waking.wait(SECONDS)
    over.set()
    assert not watches[0].closed.wait(0.2)
    go_on.set()
    leaver.join(SECONDS)
    follower.join(SECONDS)
    assert not failures
    assert watches[0].closed.is_set()


@pytest.mark.parametrize("rest", ["nothing", "a file", "a link"])
def test_a_box_is_watched_though_what_the_program_wrote_is_gone(tmp_path: Path, rest: str) -> None:
    box = Box(tmp_path / "1-1", RunSpec(1, 1, RunKind.TRAIN, "u/d/1", "default", ("python",), ()), "token")
    box.create()
    if rest == "a file":
        box.home.touch()
    elif rest == "a link":
        box.home.symlink_to(tmp_path)
    with contextlib.closing(Watch(box, None, lambda: False)) as watch:
        assert watch.read("journal", 0, 10) == b""
        assert watch.has_ended()


def test_a_watch_that_cannot_be_made_leaves_no_descriptor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    box = Box(tmp_path / "1-1", RunSpec(1, 1, RunKind.TRAIN, "u/d/1", "default", ("python",), ()), "token")
    box.create()
    monkeypatch.setattr("nsml_worker.streaming.INotify.add_watch", fail)
    before = os.listdir("/proc/self/fd")  # noqa: PTH208
    with pytest.raises(OSError, match="No space"):
        Watch(box, os.getpid(), lambda: True)
    assert os.listdir("/proc/self/fd") == before  # noqa: PTH208
