"""Things that are to be done at a time."""

import threading
from collections.abc import Iterator

import pytest

from nsml_worker.deadlines import Deadlines
from nsml_worker.memory_server import SECONDS


@pytest.fixture
def deadlines() -> Iterator[Deadlines]:
    made = Deadlines("test")
    yield made
    made.close()


def test_what_is_due_first_is_done_first_whenever_it_was_asked_for(deadlines: Deadlines) -> None:
    done, gate, last = list[str](), threading.Event(), threading.Event()
    deadlines.add(-9.0, gate.wait)
    deadlines.add(-1.0, last.set)
    deadlines.add(-2.0, lambda: done.append("second"))
    deadlines.add(-3.0, lambda: done.append("first"))
    gate.set()
    assert last.wait(SECONDS)
    assert done == ["first", "second"]


def test_one_that_fails_does_not_keep_the_others_from_being_done(deadlines: Deadlines) -> None:
    done = threading.Event()
    deadlines.add(0.0, lambda: 1 / 0)
    deadlines.add(0.0, done.set)
    assert done.wait(SECONDS)


def test_what_is_due_may_ask_for_more(deadlines: Deadlines) -> None:
    done = threading.Event()
    deadlines.add(0.0, lambda: deadlines.add(0.0, done.set))
    assert done.wait(SECONDS)


def test_nothing_is_done_after_the_end() -> None:
    deadlines, done = Deadlines("test"), threading.Event()
    deadlines.add(60.0, done.set)
    deadlines.close()
    assert not done.is_set()
