"""The command as a whole: help, mistyped commands, exit codes."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import click
import pytest

import nsml
import nsmlctl as package
from nsmlctl.cli import COMMANDS, LazyGroup
from nsmlctl.cli import nsmlctl as group
from nsmlctl.commands.options import GoCommand
from nsmlctl.errors import ServerAway
from nsmlctl.workplace import Workplace

Run = Callable[..., Any]


def every_command() -> list[tuple[str, click.Command]]:
    context = click.Context(group)
    found: list[tuple[str, click.Command]] = []
    for name in COMMANDS:
        command = group.get_command(context, name)
        assert command is not None
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {sub}", subcommand(command, sub)) for sub in command.list_commands(context)]
    return found


def subcommand(group: click.Group, name: str) -> click.Command:
    found = group.get_command(click.Context(group), name)
    assert found is not None
    return found


def test_the_client_says_the_same_version_as_the_sdk() -> None:
    assert package.__version__ == nsml.__version__


def test_version_is_told(nsmlctl: Run) -> None:
    first, *others = nsmlctl("--version").out.splitlines()
    assert first == f"nsmlctl {package.__version__}"
    assert [line.split(":")[0] for line in others] == ["Protocol", "Revision"]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_in_the_help_is_the_command_s_own(name: str) -> None:
    command = group.get_command(click.Context(group), name)
    assert command is not None
    assert COMMANDS[name][1] == (command.help or "").split("\n")[0]


@pytest.mark.parametrize(("name", "command"), every_command())
def test_every_command_shows_examples_of_itself(nsmlctl: Run, name: str, command: click.Command) -> None:
    outcome = nsmlctl(*name.split(), "--help")
    assert outcome.code == 0
    assert f"  nsmlctl {name}" in outcome.out or f"| nsmlctl {name}" in outcome.out


def test_the_help_tells_every_exit_code(nsmlctl: Run) -> None:
    text = nsmlctl("--help").out
    for code in ("0", "1", "2", "3", "4", "5", "130"):
        assert f"    {code:<5}" in text


def test_help_looks_for_no_login(nsmlctl: Run, place: Workplace) -> None:
    nowhere = Workplace(place.home, place.folder / "gone", {})
    assert nsmlctl("ps", "--help", place=nowhere).code == 0


@pytest.mark.parametrize(
    ("typed", "meant"), [("pss", "ps"), ("sumbit", "submit"), ("datset", "dataset"), ("log", "logs")]
)
def test_a_mistyped_command_is_guessed(nsmlctl: Run, typed: str, meant: str) -> None:
    outcome = nsmlctl(typed)
    assert outcome.code == 2
    assert f"Did you mean '{meant}'?" in outcome.err


def test_a_command_like_no_other_is_not_guessed(nsmlctl: Run) -> None:
    outcome = nsmlctl("xyzzy")
    assert outcome.code == 2
    assert "There is no command 'xyzzy'." in outcome.err
    assert "Did you mean" not in outcome.err


def test_a_wrong_option_is_a_usage_error(nsmlctl: Run) -> None:
    assert nsmlctl("ps", "--nonsense").code == 2


def test_not_logged_in_is_exit_code_3_with_the_next_step(nsmlctl: Run, place: Workplace) -> None:
    outcome = nsmlctl("ps", place=Workplace(place.home, place.folder, {}))
    assert outcome.code == 3
    assert "nsmlctl login" in outcome.err
    assert outcome.out == ""


def test_a_server_that_is_away_is_exit_code_5(nsmlctl: Run, platform: Any) -> None:
    platform.on("GET", "/sessions", ServerAway("No platform answers at http://nsml.test (connection refused)."))
    outcome = nsmlctl("ps")
    assert outcome.code == 5
    assert "No platform answers" in outcome.err


def test_ctrl_c_is_exit_code_130(nsmlctl: Run, platform: Any) -> None:
    platform.on("GET", "/sessions", KeyboardInterrupt())
    assert nsmlctl("ps").code == 130


def test_help_imports_neither_a_command_nor_the_network() -> None:
    program = (
        "import sys; from nsmlctl.__main__ import main; main(['--help']); "
        "print([m for m in sys.modules if m.startswith('nsmlctl.commands') or m in ('http.client', 'json', 'ssl')])"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "[]"


def test_the_help_of_a_group_has_whole_sentences(nsmlctl: Run) -> None:
    told = " ".join(nsmlctl("model", "--help").out.split())
    assert "List a session's checkpoints with what was reported when they were saved." in told


def test_the_group_lists_commands_in_the_order_people_meet_them() -> None:
    assert isinstance(group, LazyGroup)
    assert group.list_commands(click.Context(group))[:3] == ["run", "ps", "logs"]


# Two become another program, and automl takes every word only to refuse.
WITHOUT_JSON = {"up", "worker", "automl"}


@pytest.mark.parametrize(("name", "command"), every_command())
def test_every_command_that_answers_does_so_in_json_too(name: str, command: click.Command) -> None:
    if isinstance(command, click.Group) or name in WITHOUT_JSON:
        return
    options = {option for param in command.params for option in param.opts}
    assert {"-j", "--json", "--json-return"} <= options


@pytest.mark.parametrize(("name", "command"), every_command())
def test_every_command_takes_short_options_as_go_reads_them(name: str, command: click.Command) -> None:
    assert isinstance(command, GoCommand)


def test_every_command_of_nsml_is_here() -> None:
    original = (
        "login run ps logs stop resume rm fork submit infer exec sh command memo pull download inspect plot "
        "model dataset credit status gpumonitor automl"
    )
    assert set(original.split()) <= set(COMMANDS)
    known = dict(every_command())
    for name in ("ls", "rm", "pull"):
        assert f"model {name}" in known
    for name in ("ls", "search", "board", "push", "pull", "change", "rm", "fs"):
        assert f"dataset {name}" in known
