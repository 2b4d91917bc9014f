"""What is wanted is made ready before anybody asks for it; what cannot be made is not tried all the time."""

import threading

import pytest

from nsml_worker.contract import Environment
from nsml_worker.errors import ImageMissing, ServerAway
from nsml_worker.memory_server import SECONDS
from nsml_worker.warming import RETRY, Warmer

GOOD, BAD, LATER = (Environment(reference=f"image:{number}") for number in range(3))


class Node:
    """What the server wants, what was made, and the time."""

    def __init__(self) -> None:
        self.wanted: list[Environment] | None = [BAD, GOOD]
        self.made: list[Environment] = []
        self.now = 0.0
        self.halt = threading.Event()
        self.warmer = Warmer(self.fetch, self.warm, self.halt, first=0.0, clock=lambda: self.now)

    def fetch(self) -> list[Environment]:
        if self.wanted is None:
            raise ServerAway("away")
        return self.wanted

    def warm(self, one: Environment, _: threading.Event) -> None:
        self.made.append(one)
        if one is BAD:
            raise ImageMissing("nobody has it")
        if one is LATER:
            self.halt.set()


def test_one_that_fails_does_not_keep_the_others_waiting_and_is_left_alone_for_a_while() -> None:
    node = Node()
    node.warmer.look()
    assert node.made == [BAD, GOOD]
    node.made.clear()
    node.warmer.look()
    assert node.made == [GOOD]
    node.now = RETRY
    node.made.clear()
    node.warmer.look()
    assert node.made == [BAD, GOOD]


def test_a_server_that_is_away_is_asked_another_time() -> None:
    node = Node()
    node.wanted = None
    node.warmer.look()
    assert node.made == []


def test_a_worker_that_leaves_begins_nothing_more() -> None:
    node = Node()
    node.wanted = [LATER, GOOD]
    node.warmer.look()
    assert node.made == [LATER]


def test_it_works_by_itself() -> None:
    node = Node()
    node.wanted = [GOOD, LATER]
    node.warmer.start()
    assert node.halt.wait(SECONDS)
    assert node.made == [GOOD, LATER]


def test_what_nobody_thought_of_does_not_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nsml_worker.warming.EVERY", 0.0)
    node, failures = Node(), [RecursionError("an answer that is no answer"), ValueError("no JSON")]
    node.wanted = [LATER]

    def warm(one: Environment, stop: threading.Event) -> None:
        if failures:
            raise failures.pop()
        node.warm(one, stop)

    Warmer(node.fetch, warm, node.halt, first=0.0).start()
    assert node.halt.wait(SECONDS)
    assert node.made == [LATER]
