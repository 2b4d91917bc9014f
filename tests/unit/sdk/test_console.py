"""The console of a live program: what is asked at HOME/console.sock, in training, fork and serve."""

import base64
import contextlib
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

LIVE = """
import sys, nsml
def train():
    epoch, seen = 3, []
    nsml.bind(save=lambda path: open(path + '/m', 'w').write(str(epoch)), infer=lambda rows: [(0.5, row) for row in rows])
    nsml.report(step=1, scope=locals())
    print('live', flush=True)
    for line in sys.stdin:
        print('training goes on', flush=True)
    print(seen)
train()
"""
SAVE = "import nsml\nnsml.save('best', save_fn=lambda path: open(path + '/m', 'w').write('best'))"
SERVE = """
import nsml, threading
model = []
def load(path):
    model.append(open(path + '/m').read())
def infer(data, top_k=1, **kwargs):
    assert threading.current_thread() is threading.main_thread(), 'a model belongs to the thread it was loaded in'
    return {'model': model[0], 'data': str(data), 'top_k': top_k}
nsml.bind(load=load, infer=infer)
nsml.paused(scope=locals())
print('never here')
"""


@contextlib.contextmanager
def running(box: Any, program: str, first: str) -> Iterator[subprocess.Popen[str]]:
    """The program, from the moment it printed its first line; killed at the end."""
    process = box.start(program)
    try:
        line = process.stdout.readline()
        assert line == first + "\n", line + process.stderr.read()
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def live(box: Any) -> Iterator[Any]:
    with running(box, LIVE, "live") as box.process:
        yield box


@pytest.fixture
def serving(box: Any) -> Iterator[Any]:
    box.run(SAVE)
    box.prepare_submit("best")
    box.mode = "serve"
    with running(box, SERVE, "Paused.") as box.process:
        yield box


def execute(box: Any, code: str) -> tuple[str, str | None]:
    answer = box.ask({"do": "exec", "code": code})
    return answer["output"], answer["error"]


def test_an_expression_is_evaluated_in_the_live_scope_and_its_repr_comes_back(live: Any) -> None:
    assert execute(live, "epoch * 2") == ("6", None)
    assert execute(live, "'가' + str(epoch)") == ("'가3'", None)
    assert execute(live, "nsml.SESSION_NAME") == ("'alice/kin/7'", None), "globals of main are behind its locals"
    assert execute(live, "seen.append(1)") == ("", None)
    assert execute(live, "[epoch + n for n in range(2)]") == ("[3, 4]", None)


def test_statements_give_what_they_print_and_their_names_stay(live: Any) -> None:
    assert execute(live, "import math\nfor n in range(2): print(n)") == ("0\n1\n", None)
    assert execute(live, "print('x'); math.floor(2.5)") == ("x\n2", None)
    assert execute(live, "") == ("", None)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("nowhere", "NameError: name 'nowhere' is not defined"),
        ("1 +", "SyntaxError: invalid syntax"),
        ("exit(3)", "SystemExit: 3"),
        ("x\0", "source code string cannot contain null bytes"),
    ],
)
def test_what_goes_wrong_at_the_console_is_told_and_the_program_lives_on(live: Any, code: str, error: str) -> None:
    output, told = execute(live, code)
    assert error in told
    assert (output, "nsml/_" in told) == ("", False)
    assert execute(live, "epoch") == ("3", None)


def test_what_is_printed_at_the_console_stays_out_of_the_log_and_the_programs_own_lines_in_it(live: Any) -> None:
    execute(live, "print('for the console only'); seen.append('changed')")
    output, errors = live.process.communicate("\n", timeout=60)
    assert (output, errors) == ("training goes on\n['changed']\n", "")


def test_a_name_set_in_a_module_is_set_in_the_program(box: Any) -> None:
    program = "import nsml, sys\nlr = 0.1\nnsml.report(scope=locals())\nprint('live', flush=True)\nsys.stdin.read()\nprint(lr)"
    with running(box, program, "live") as process:
        assert execute(box, "lr = 0.5") == ("", None)
        assert process.communicate("", timeout=60)[0] == "0.5\n"


def test_the_console_saves_and_asks_infer_and_runs_commands(live: Any) -> None:
    assert live.ask({"do": "save", "name": "by hand"})["error"] is None
    assert list(live.list_checkpoints()) == ["by hand"]
    assert live.ask({"do": "infer", "args": [["a"]], "kwargs": {}, "app_type": None})["output"] == [[0.5, "a"]]
    done = live.ask({"do": "sh", "argv": ["ls"]})
    assert (done["output"], done["exit_code"], done["error"]) == ("main.py\n", 0, None)
    assert live.ask({"do": "sh", "argv": ["echo a; exit 3"]})["exit_code"] == 3
    assert live.ask({"do": "sh", "argv": ["no-such-program", "x"]})["error"].startswith("FileNotFoundError")


@pytest.mark.parametrize("line", [b"\n", b"[]\n", b"{}\n", b'{"do": "fly"}\n', b"\xff\n", b'{"do": ["exec"]}\n'])
def test_a_question_that_makes_no_sense_is_answered_with_what_does(live: Any, line: bytes) -> None:
    assert live.ask(line)["error"] == "The console knows exec, infer, sh and save; ask one of them."


def test_a_question_or_an_answer_beyond_its_bound_does_no_harm(live: Any) -> None:
    with contextlib.suppress(ConnectionError):
        assert live.ask(b"x" * (1024 * 1024 + 2**17)) == {}
    answer = live.ask({"do": "exec", "code": "print('\\U0001f600' * 1000000)"})
    assert answer["error"].startswith("The output was longer than 4194304 bytes")
    assert len(answer["output"]) > 2**17
    assert execute(live, "epoch") == ("3", None)


def test_a_child_process_leaves_the_console_to_the_first_and_a_dead_one_is_replaced(box: Any) -> None:
    program = """
import nsml, os, sys
who = 'parent'
nsml.report(scope=locals())
if os.fork() == 0:
    who = 'child'
    nsml.report(scope=locals())
    os._exit(0)
os.wait()
print('live', flush=True)
sys.stdin.read()
"""
    for _ in range(2):  # the second finds the socket of the first, which was killed
        with running(box, program, "live"):
            assert execute(box, "who") == ("'parent'", None)


@pytest.mark.parametrize("scope", ["None", "3", "'text'", "[1]"])
def test_a_scope_that_is_none_is_no_trouble(box: Any, scope: str) -> None:
    box.run(f"import nsml\nnsml.report(a=1, scope={scope})\nnsml.paused(scope={scope})\nnsml.paused({scope})")
    assert len(box.read_journal("report")) == 1


def test_no_console_without_a_scope_nor_in_a_submit(box: Any) -> None:
    box.run("import nsml\nnsml.report(a=1)\nnsml.paused()")
    box.mode = "submit"
    box.run("import nsml\nnsml.report(a=1, scope=locals())")
    assert not (box.home / "console.sock").exists()


def test_a_home_that_takes_no_socket_is_told_once_and_the_training_goes_on(box: Any) -> None:
    (box.home / "console.sock").mkdir()
    done = box.run("import nsml\nfor n in range(2): nsml.report(step=n, scope=locals())\nprint('on')")
    assert (done.stdout, done.stderr.count("the console could not be opened")) == ("on\n", 1)


def test_serve_loads_the_checkpoint_and_answers_infer_until_it_is_stopped(serving: Any) -> None:
    first = serving.ask({"do": "infer", "args": ["x"], "kwargs": {"top_k": 3}})
    assert first == {"output": {"model": "best", "data": "x", "top_k": 3}, "error": None}
    assert execute(serving, "model") == ("['best']", None)
    assert [line.get("phase") for line in serving.read_journal() if line["k"] == "phase"] == ["load", "infer"]
    serving.process.send_signal(signal.SIGTERM)
    assert serving.process.wait(timeout=60) == -signal.SIGTERM
    assert serving.process.stdout.read() == ""


@pytest.mark.parametrize(
    ("data", "app_type", "received"),
    [
        ("안녕", "list_string", {"data": [["안녕"]]}),
        ("data:image/png;base64," + base64.b64encode(b"png").decode(), None, [b"png"]),
        ("plain base64, text", None, "plain base64, text"),
    ],
)
def test_infer_receives_what_nsmls_web_apps_made_of_its_input(
    serving: Any, data: str, app_type: str | None, received: Any
) -> None:
    asked = {"do": "infer", "args": [data], "kwargs": {}, "app_type": app_type}
    assert serving.ask(asked)["output"]["data"] == str(received)
    code = f"nsml.infer({data!r}, app_type={app_type!r})['data']"
    assert execute(serving, code) == (repr(str(received)), None)


def test_what_infer_raises_and_answers_of_any_kind_cross_the_console(serving: Any) -> None:
    answers = {"b'\\xff'": {"base64": "/w=="}, "numpy.arange(2)": [0, 1], "{3}": [3], "(1, 'a')": [1, "a"]}
    for value, expected in answers.items():
        execute(serving, f"import numpy\nnsml.bind(infer=lambda data: {value})")
        assert serving.ask({"do": "infer", "args": [1]})["output"] == expected
    execute(serving, "nsml.bind(infer=lambda data: float('nan'))")
    assert serving.ask({"do": "infer", "args": [1]})["output"] == "nan"
    execute(serving, "nsml.bind(infer=lambda data: 1 / 0)")
    assert serving.ask({"do": "infer", "args": [1]}) == {"output": "", "error": "ZeroDivisionError: division by zero"}


def test_a_serve_whose_load_fails_ends_with_the_reason_and_does_not_go_on(box: Any) -> None:
    box.run(SAVE)
    box.prepare_submit("best")
    box.mode = "serve"
    program = SERVE.replace("model.append(", "raise KeyError(").replace("nsml.paused(", "try: nsml.paused(")
    done = box.run(program.replace("print('never", "except BaseException: print('never"), fails=True)
    assert done.stdout == "Paused.\n"
    (error,) = box.read_journal("error")
    assert (error["phase"], error["type"]) == ("load", "KeyError")


def test_a_fork_has_a_console_and_goes_on(box: Any) -> None:
    box.run(SAVE)
    box.prepare_submit("best")
    box.mode = "fork"
    program = SERVE.replace("print('never here')", "print('goes on', flush=True)\nimport sys; sys.stdin.read()")
    with running(box, program, "Paused.") as process:
        assert process.stdout.readline() == "goes on\n"
        assert execute(box, "model") == ("['best']", None)


@pytest.mark.parametrize("version", ["3.6", "3.8", "3.11", "3.13"])
def test_the_console_answers_on_each_python(make_box: Any, find_python: Any, version: str) -> None:
    box = make_box(python=find_python(version))
    box.run(SAVE)
    box.prepare_submit("best")
    box.mode = "serve"
    with running(box, SERVE, "Paused."):
        assert box.ask({"do": "infer", "args": ["x"], "kwargs": {}})["output"]["model"] == "best"
        assert execute(box, "print('안녕'); [name for name in model]") == ("안녕\n['best']", None)
        assert "ZeroDivisionError" in str(execute(box, "1 / 0")[1])
