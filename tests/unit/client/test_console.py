"""`exec`, `sh`, `command`, `inspect`: looking into a session."""

import builtins
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

Run = Callable[..., Any]
ASK = "/sessions/kim/kin/1/ask"


def type_lines(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    waiting: Iterator[str] = iter(lines)

    def typed(_: str = "") -> str:
        try:
            return next(waiting)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr(builtins, "input", typed)


def test_exec_prints_what_the_expression_is_there(nsmlctl: Run, platform: Any) -> None:
    platform.on("POST", ASK, {"output": "0.001\n", "error": None})
    outcome = nsmlctl("exec", "kim/kin/1", "config.lr")
    assert (outcome.code, outcome.out) == (0, "0.001\n")
    assert platform.called("POST", ASK)[0].content == {"do": "exec", "code": "config.lr"}


def test_an_answer_ends_its_line(nsmlctl: Run, platform: Any) -> None:
    platform.on("POST", ASK, {"output": "0.001", "error": None})
    assert nsmlctl("exec", "kim/kin/1", "config.lr").out == "0.001\n"


def test_several_words_are_one_expression_and_dashes_belong_to_it(nsmlctl: Run, platform: Any) -> None:
    platform.on("POST", ASK, {"output": "-1\n", "error": None})
    nsmlctl("exec", "kim/kin/1", "-1", "if", "--x", "else", "2")
    assert platform.called("POST", ASK)[0].content["code"] == "-1 if --x else 2"


def test_an_error_of_the_expression_is_exit_code_1(nsmlctl: Run, platform: Any) -> None:
    platform.on("POST", ASK, {"output": "", "error": "NameError: name 'x' is not defined"})
    outcome = nsmlctl("exec", "kim/kin/1", "x")
    assert outcome.code == 1
    assert "NameError" in outcome.err


def test_a_session_without_a_console_says_what_to_add(nsmlctl: Run, platform: Any, refuse: Any) -> None:
    message = "Session kim/kin/1 has no console."
    platform.on("POST", ASK, refuse(409, "no_console", message, hint="Call nsml.report(scope=locals())."))
    outcome = nsmlctl("exec", "kim/kin/1", "x")
    assert outcome.code == 1
    assert message in outcome.err
    assert "nsml.report(scope=locals())" in outcome.err


def test_what_was_asked_is_asked_once_even_when_the_connection_breaks(nsmlctl: Run, platform: Any) -> None:
    from nsmlctl.errors import CutOff

    platform.on("POST", ASK, CutOff("The connection broke."))
    assert nsmlctl("exec", "kim/kin/1", "optimizer.step()").code == 5
    assert len(platform.called("POST", ASK)) == 1


def test_what_a_program_answers_cannot_steer_the_terminal(nsmlctl: Run, platform: Any) -> None:
    platform.on("POST", ASK, {"output": "a\x1b]0;title\x07\tb\n\u202ec", "error": None})
    assert not set(nsmlctl("exec", "kim/kin/1", "x").out) & set("\x1b\x07\u202e")


def test_without_an_expression_lines_are_read_until_the_input_ends(
    nsmlctl: Run, platform: Any, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.on("GET", "/sessions/kim/kin/1", session())
    platform.on(
        "POST", ASK, {"output": "1\n", "error": None}, {"output": "", "error": "KeyError: 2"}, {"output": "3\n"}
    )
    type_lines(monkeypatch, "a", "", "for i in b:", "    print(i)", "", "c")
    outcome = nsmlctl("exec", "kim/kin/1")
    asked = [call.content["code"] for call in platform.called("POST", ASK)]
    assert asked == ["a", "for i in b:\n    print(i)\n", "c"]
    assert (outcome.code, outcome.out) == (0, "1\n3\n")
    assert "KeyError: 2" in outcome.err


def test_a_line_that_this_python_cannot_read_is_left_to_the_program_s_own(
    nsmlctl: Run, platform: Any, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.on("GET", "/sessions/kim/kin/1", session())
    platform.on("POST", ASK, {"output": "old\n", "error": None})
    type_lines(monkeypatch, "print 'old'")
    assert nsmlctl("exec", "kim/kin/1").out == "old\n"


def test_sh_gives_one_text_to_a_shell_and_several_words_as_they_are(nsmlctl: Run, platform: Any) -> None:
    platform.on("POST", ASK, {"output": "main.py\n", "exit_code": 0})
    assert nsmlctl("sh", "kim/kin/1", "ls /app | head").out == "main.py\n"
    nsmlctl("sh", "kim/kin/1", "ls", "-l", "/app")
    assert [call.content["argv"] for call in platform.called("POST", ASK)] == [
        ["/bin/sh", "-c", "ls /app | head"],
        ["ls", "-l", "/app"],
    ]


def test_sh_ends_with_the_command_s_own_exit_code(nsmlctl: Run, platform: Any) -> None:
    platform.on("POST", ASK, {"output": "no\n", "exit_code": 7})
    assert nsmlctl("sh", "kim/kin/1", "false").code == 7


def test_sh_without_a_command_is_a_usage_error(nsmlctl: Run) -> None:
    assert nsmlctl("sh", "kim/kin/1").code == 2


def test_command_prints_how_the_session_was_started(nsmlctl: Run, platform: Any) -> None:
    platform.on("GET", "/sessions/kim/kin/1/command", {"command": "nsml run -d kin -e main.py"})
    assert nsmlctl("command", "kim/kin/1").out == "nsml run -d kin -e main.py\n"


def test_inspect_shows_docker_s_words_in_docker_s_order(nsmlctl: Run, platform: Any) -> None:
    state = {"Status": "exited", "Running": False, "OOMKilled": True, "ExitCode": 137, "Error": None}
    platform.on("GET", "/sessions/kim/kin/1/inspect", state)
    lines = nsmlctl("inspect", "kim/kin/1").out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == list(state)
    assert lines[5].split() == ["ExitCode", "137"]
    assert json.loads(nsmlctl("inspect", "-j", "kim/kin/1").out) == state
