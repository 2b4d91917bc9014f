"""A person's question reaches the program's own socket and comes back; what listens there is not trusted."""

import socket
import threading
from typing import Any

import pytest

from nsml_worker import lines
from nsml_worker.box import BoxId
from nsml_worker.confinement import LADDER
from nsml_worker.contract import RunKind

LISTENING = """
import json, os, socket, sys
home = os.environ["NSML_HOME"]
os.chdir(home)
def listen(name="console.sock"):
    server = socket.socket(socket.AF_UNIX)
    server.bind(name)
    server.listen(1)
    return server
def serve(answer, name="console.sock"):
    server = listen(name)
    print("listening")
    connection, _ = server.accept()
    line = connection.makefile("rb").readline()
    connection.sendall(answer(json.loads(line)))
    connection.close()
"""


@pytest.fixture(params=LADDER, ids=lambda one: one.name)
def node(request: pytest.FixtureRequest, site: Any) -> Any:
    """A node with every way to seal boxes that this machine has."""
    site.confine(request.param)
    return site


def ask(site: Any, program: str, said: bytes = b"listening", **asked: Any) -> Any:
    """What the server is brought after it asked a program."""
    box = site.offer(LISTENING + program)
    site.start_worker().take(1, "run-secret-canary")
    site.wait_for_output(1, said)
    site.memory.ask(7, box, {"do": "exec", "code": "1 + 1", **asked})
    site.memory.wait_for(lambda: 7 in site.memory.answers)
    return site.memory.answers[7]


def test_a_question_is_answered_by_the_program(node: Any) -> None:
    program = 'serve(lambda q: json.dumps({"output": q["code"], "error": None}).encode() + b"\\n")'
    assert ask(node, program) == {"answer": {"output": "1 + 1", "error": None}}


def test_a_program_without_a_console_is_told_as_such(site: Any) -> None:
    assert ask(site, 'print("listening"); sys.stdin.read(); import time; time.sleep(600)') == {"fault": "no_console"}


def test_a_served_model_that_does_not_listen_yet_is_waited_for(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    refused, connect = threading.Event(), lines.connect

    def note(*arguments: Any) -> socket.socket:
        try:
            return connect(*arguments)
        except OSError:
            refused.set()
            raise

    monkeypatch.setattr(lines, "connect", note)
    waits = "import time\nprint('begins')\nwhile not os.path.exists('go'): time.sleep(0.01)\n"
    box = site.offer(LISTENING + waits + "serve(lambda q: b'{\"output\": 1}\\n')", kind=RunKind.SERVE)
    site.start_worker().take(1, "run-secret-canary")
    site.wait_for_output(1, b"begins")
    site.memory.ask(7, box, {"do": "infer", "args": [1]})
    assert refused.wait(180)
    (site.boxes / str(box) / "home/go").touch()
    site.memory.wait_for(lambda: 7 in site.memory.answers)
    assert site.memory.answers[7] == {"answer": {"output": 1}}


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("b'nonsense\\n'", "garbled"),
        ("b'[]\\n'", "garbled"),
        ("b'x' * (5 << 20)", "garbled"),
        ("""b'{"output": NaN}\\n'""", "garbled"),
        ("b'half'", "silent"),
    ],
)
def test_an_answer_that_makes_no_sense_is_none(site: Any, answer: str, fault: str) -> None:
    assert ask(site, f"serve(lambda q: {answer})") == {"fault": fault}


def test_half_a_character_in_an_answer_does_not_cost_the_answer(site: Any) -> None:
    assert ask(site, r"""serve(lambda q: b'{"output": "\udced"}\n')""") == {"answer": {"output": "?"}}


@pytest.mark.parametrize(
    "trick",
    [
        'os.symlink("real.sock", "console.sock")',
        'open("console.sock", "w").close()',
        'os.mkfifo("console.sock")',
        'os.mkdir("console.sock")',
    ],
)
def test_nothing_but_a_socket_of_the_programs_own_is_spoken_to(site: Any, trick: str) -> None:
    program = f"{trick}\nserve(lambda q: b'{{\"output\": 1}}\\n', 'real.sock')"
    assert ask(site, program) == {"fault": "no_console"}


def test_a_link_to_a_socket_outside_the_box_is_not_followed(site: Any) -> None:
    outside = site.folder / "engine.sock"
    engine = socket.socket(socket.AF_UNIX)
    engine.bind(str(outside))
    engine.listen(1)
    engine.settimeout(0)
    try:
        program = f'os.symlink({str(outside)!r}, "console.sock"); print("listening"); import time; time.sleep(600)'
        assert ask(site, program) == {"fault": "no_console"}
        with pytest.raises(BlockingIOError):
            engine.accept()
    finally:
        engine.close()


def test_a_box_that_is_not_here_is_told_as_gone(site: Any) -> None:
    site.start_worker()
    site.memory.ask(8, BoxId(99, 1), {"do": "exec", "code": "x"})
    site.memory.wait_for(lambda: 8 in site.memory.answers)
    assert site.memory.answers[8] == {"fault": "gone"}
