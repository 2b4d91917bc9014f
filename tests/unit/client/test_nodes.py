"""Machines as an operator adds them and takes them away."""

import sys
from collections.abc import Callable
from typing import Any

from nsmlctl.commands.worker import worker_command

Run = Callable[..., Any]
TOKEN = {"node": None, "token": "nsml_let_me_in", "expires_in": 86_400}


def test_a_join_token_is_all_that_is_printed_and_the_next_step_is_said(nsmlctl: Run, platform: Any) -> None:
    platform.on("POST", "/join-tokens", TOKEN, TOKEN)
    outcome = nsmlctl("node", "add")
    assert outcome.out == "nsml_let_me_in\n"
    assert "--join nsml_let_me_in" in outcome.err
    assert "--name rack1" in nsmlctl("node", "add", "rack1").err
    assert [call.content for call in platform.called("POST", "/join-tokens")] == [{}, {"name": "rack1"}]


def test_a_machine_is_drained_and_let_back(nsmlctl: Run, platform: Any) -> None:
    platform.on("PATCH", "/nodes/rack1", {"name": "rack1", "drained": True}, {"name": "rack1", "drained": False})
    assert nsmlctl("node", "drain", "rack1").out == "rack1 is given nothing new\n"
    assert nsmlctl("node", "drain", "rack1", "--undo").out == "rack1 takes runs again\n"
    assert [call.content for call in platform.called("PATCH", "/nodes/rack1")] == [
        {"drained": True},
        {"drained": False},
    ]


def test_a_removal_passes_force_on(nsmlctl: Run, platform: Any) -> None:
    platform.on("DELETE", "/nodes/rack1", {}, {})
    assert nsmlctl("node", "rm", "rack1", "--force").out == "rack1 is removed\n"
    nsmlctl("node", "rm", "rack1")
    assert [call.query for call in platform.called("DELETE", "/nodes/rack1")] == [{"force": "1"}, {"force": "0"}]


def test_the_machines_are_listed(nsmlctl: Run, platform: Any) -> None:
    platform.on("GET", "/nodes", {"nodes": [{"name": "rack1", "alive": True, "cpus": 8, "used_cpus": 3}]})
    assert "rack1  alive        3 of 8 used" in nsmlctl("node", "ls").out


def test_a_machine_that_takes_no_work_is_named_with_what_to_look_for(nsmlctl: Run, platform: Any) -> None:
    problem = "does not take its work: can it reach the broker?"
    platform.on("GET", "/nodes", {"nodes": [{"name": "rack1", "alive": True, "problem": problem}]})
    outcome = nsmlctl("node", "ls")
    assert "rack1  takes no work" in outcome.out
    assert outcome.err == f"rack1 {problem}\n"


def test_a_worker_of_another_version_than_the_server_is_marked(nsmlctl: Run, platform: Any) -> None:
    same, old = {"name": "rack1", "version": "2.0.0", "skew": None}, {"name": "rack2", "version": "", "skew": "older"}
    platform.on("GET", "/nodes", {"nodes": [same, old, {"name": "rack3", "version": "2.1.0", "skew": "newer"}]})
    first, second, third = nsmlctl("node", "ls").out.splitlines()[2:]
    assert first.endswith("  2.0.0")
    assert second.endswith("not told, older than the server")
    assert third.endswith("2.1.0, newer than the server")


def test_the_worker_is_started_with_what_was_typed_and_no_more() -> None:
    typed = {"server": "http://platform:8080", "join": None, "join_file": "/run/token", "name": None, "data": None}
    words = ["--server=http://platform:8080", "--join-file=/run/token"]
    assert worker_command(False, **typed) == [sys.executable, "-m", "nsml_worker.joining", *words]
    assert worker_command(True, server=None) == [sys.executable, "-m", "nsml_worker.joining", "--check"]
