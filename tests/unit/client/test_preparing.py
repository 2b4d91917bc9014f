"""What is done for a session before it starts is told, but not line by line for minutes."""

from typing import Any

import pytest

from nsmlctl.preparing import QUIET, accompany
from nsmlctl.references import parse_session


class Server:
    """Says what is being prepared, one thing at each look, and then that the session runs."""

    def __init__(self, *said: str) -> None:
        self.said = list(said)

    def session(self, _: Any = None) -> dict[str, Any]:
        if not self.said:
            return {"state": "running", "message": None}
        return {"state": "preparing", "message": self.said.pop(0)}


def follow(*said: str) -> dict[str, Any]:
    server: Any = Server(*said)
    return accompany(server, parse_session("a/b/1"), server.session(), lambda _: None)


def test_each_step_is_told_once_and_then_now_and_again(capsys: pytest.CaptureFixture[str]) -> None:
    pulling = [f"Pulling x: {layer} of {2 * QUIET} layers" for layer in range(2 * QUIET)]
    assert follow(*pulling, "Installing a", "Installing a", "Collecting b")["state"] == "running"
    lines = capsys.readouterr().err.splitlines()
    assert lines == [pulling[0], pulling[QUIET], "Installing a", "Collecting b"]


def test_on_a_terminal_one_line_stands_for_all_and_is_gone_in_the_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    follow("Pulling x: 1 of 2 layers", "Pulling x: 2 of 2 layers")
    assert capsys.readouterr().err == ("\r\x1b[KPulling x: 1 of 2 layers\r\x1b[KPulling x: 2 of 2 layers\r\x1b[K")


def test_a_session_that_runs_already_is_given_back_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert follow()["state"] == "running"
    assert capsys.readouterr().err == ""
