"""A worker whose queue does not answer says so, to people and not to the server."""

import socket
from pathlib import Path

import pytest

from nsml_worker import __main__ as program
from nsml_worker import tasks
from nsml_worker.errors import BrokerAway


@pytest.fixture
def nobody() -> str:
    """An address where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"redis://:secret@127.0.0.1:{taken.getsockname()[1]}/0"


def test_a_broker_that_is_away_is_named_without_its_password(nobody: str) -> None:
    with pytest.raises(BrokerAway, match=r"redis://:\*\*@127\.0\.0\.1.*NSML_BROKER_ADDRESS") as said:
        tasks.reach_broker(nobody, tries=1)
    assert "secret" not in str(said.value)


def test_a_broker_that_answers_is_enough() -> None:
    tasks.reach_broker("memory://", tries=1)


def test_a_node_that_cannot_hear_of_its_runs_does_not_say_hello(
    nobody: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tasks, "TRIES", 1)
    monkeypatch.setattr(program, "make_agent", lambda _: pytest.fail("it was about to say hello"))
    (tmp_path / "token").write_text("node token")
    variables = {
        "NSML_SERVER_URL": "http://127.0.0.1:1", "NSML_NODE": "rack1", "NSML_NODE_TOKEN_FILE": str(tmp_path / "token"),
        "NSML_BROKER_URL": nobody, "NSML_WORKER_DATA": str(tmp_path / "data"),
    }  # fmt: skip
    assert program.serve(variables) == BrokerAway.exit_code
    assert "NSML_BROKER_ADDRESS" in capsys.readouterr().err


def test_a_node_with_boxes_says_hello_at_once_because_their_leases_run_out(
    nobody: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Made(Exception):
        """The agent."""

    def make(_: object) -> None:
        raise Made

    monkeypatch.setattr(program, "make_agent", make)
    monkeypatch.setattr(program, "reach_broker", lambda _: pytest.fail("it waited"))
    (tmp_path / "token").write_text("node token")
    (tmp_path / "containers" / "1-1").mkdir(parents=True)
    (tmp_path / "containers" / "1-1" / "record.json").touch()
    with pytest.raises(Made):
        program.serve({
            "NSML_SERVER_URL": "http://127.0.0.1:1", "NSML_NODE": "rack1", "NSML_NODE_TOKEN_FILE": str(tmp_path / "token"),
            "NSML_BROKER_URL": nobody, "NSML_WORKER_DATA": str(tmp_path),
        })  # fmt: skip
