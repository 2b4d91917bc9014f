"""`nsml.load(…, session=…)`: a checkpoint of another session is asked for at HOME/questions.sock, where the worker listens."""

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

LOAD = """
import nsml
def load(path, **kwargs):
    print(open(path + '/m').read(), kwargs)
nsml.bind(load=load)
"""
MISSING = "No model: bob/kin/3/nsml_model/best"


@contextlib.contextmanager
def worker(box: Any, answer: Callable[[dict[str, Any]], bytes]) -> Iterator[list[dict[str, Any]]]:
    """A worker that listens in the box, and the questions it was asked."""
    asked: list[dict[str, Any]] = []
    server = listen(box)

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                asked.append(json.loads(connection.makefile("rb").readline()))
                connection.sendall(answer(asked[-1]))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield asked
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def listen(box: Any) -> socket.socket:
    """In the place of whoever listened before, as the worker does."""
    home = os.open(box.home, os.O_RDONLY)
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"/proc/self/fd/{home}/coming")
    server.listen()
    os.rename("coming", "questions.sock", src_dir_fd=home, dst_dir_fd=home)
    os.close(home)
    return server


def lay_out(box: Any, text: str) -> bytes:
    folder = box.home / "fetched" / "1"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "m").write_text(text)
    return json.dumps({"path": str(folder)}).encode() + b"\n"


@pytest.mark.parametrize(
    "call",
    [
        "'best', session='bob/kin/3'",
        "checkpoint='best', session=' bob/kin/3 '",
        "iteration='best', session='bob/kin/3'",
    ],
)
def test_a_checkpoint_of_another_session_is_fetched_and_loaded(box: Any, call: str) -> None:
    answer = lay_out(box, "bob's")
    with worker(box, lambda _: answer) as asked:
        done = box.run(LOAD + f"nsml.load({call}, map_location='cpu')")
    assert done.stdout == "bob's {'map_location': 'cpu'}\n"
    assert asked == [{"ask": "checkpoint", "session": "bob/kin/3", "name": "best"}]


def test_a_given_load_fn_is_the_one_that_loads(box: Any) -> None:
    answer = lay_out(box, "bob's")
    with worker(box, lambda _: answer):
        done = box.run("import nsml\nnsml.load(2, lambda path: print(open(path + '/m').read()), 'bob/kin/3')")
    assert done.stdout == "bob's\n"


def test_a_checkpoint_of_the_own_session_that_is_here_is_not_asked_for(box: Any) -> None:
    with worker(box, lambda _: b'{"error": "No model"}\n') as asked:
        box.run(
            """
            import nsml
            nsml.save('best', save_fn=lambda path: open(path + '/m', 'w').write('own'))
            for session in None, '', 'alice/kin/7':
                nsml.load('best', load_fn=lambda path: None, session=session)
            try: nsml.load('gone', load_fn=lambda path: None)
            except KeyError as error: assert error.args[0] == 'No model: alice/kin/7/nsml_model/gone', error
            """
        )
    assert asked == [{"ask": "checkpoint", "session": None, "name": "gone"}]


@pytest.mark.parametrize(
    "answer",
    [b'{"error": "' + MISSING.encode() + b'"}\n', b"", b"[]\n", b"\xff\n", b'{"path": "/nowhere"}\n', b'{"path": 3}\n'],
)
def test_whatever_else_the_answer_is_a_missing_model_is_the_key_error_of_nsml(box: Any, answer: bytes) -> None:
    program = LOAD + "try: nsml.load('best', session='bob/kin/3')\nexcept KeyError as error: print(error.args[0])"
    with worker(box, lambda _: answer):
        assert box.run(program).stdout == MISSING + "\n"


def test_a_question_outlives_the_worker_that_took_it(box: Any) -> None:
    answer = lay_out(box, "bob's")
    leaving = listen(box)
    process = box.start(LOAD + "nsml.load('best', session='bob/kin/3')")
    connection, _ = leaving.accept()
    leaving.close()
    connection.close()
    with worker(box, lambda _: answer) as asked:
        out, err = process.communicate(timeout=120)
    assert (out, err) == ("bob's {}\n", "")
    assert len(asked) == 1


def test_a_socket_that_nobody_listens_at_any_more_is_not_asked_for_ever(box: Any) -> None:
    listen(box).close()
    program = """
        import os
        from nsml import _lines
        print(_lines.ask(os.environ['NSML_HOME'], 'questions.sock', {}, 100, 60, 0.3))
    """
    assert box.run(program).stdout == "None\n"


def test_where_no_worker_listens_the_model_is_missing(box: Any) -> None:
    program = LOAD + "try: nsml.load('best', session='bob/kin/3')\nexcept KeyError as error: print(error.args[0])"
    assert box.run(program).stdout == MISSING + "\n"
    (box.home / "questions.sock").touch()
    assert box.run(program).stdout == MISSING + "\n"
