"""The command `nsmlctl`: a table of commands, each imported only when it is the one that was typed."""

from __future__ import annotations

import importlib
from typing import Any

import click

# Name: module (below nsmlctl.commands), and the line `nsmlctl --help` shows, so that help imports no command. A test holds
# the line to the command's own docstring. The function is called `command` in each module.
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("run", "Upload this folder and start a session."),
    "ps": ("ps", "List sessions."),
    "logs": ("logs", "Print what a session printed."),
    "plot": ("plot", "Draw what a session reported."),
    "stop": ("stop", "Stop a session."),
    "resume": ("resume", "Go on with a stopped or failed session."),
    "fork": ("fork", "Train on from a checkpoint, in a new session."),
    "rm": ("rm", "Remove sessions with their logs and checkpoints."),
    "memo": ("memo", "Change a session's description."),
    "model": ("model", "Look at checkpoints."),
    "submit": ("submit", "Score a checkpoint on the hidden test."),
    "local": ("local", "Train, submit and score on this machine, without a platform."),
    "infer": ("infer", "Load a checkpoint and keep it ready to answer."),
    "exec": ("exec", "Evaluate an expression inside a running program."),
    "sh": ("sh", "Run a shell command in a session's box."),
    "command": ("command", "Print the command a session was started with."),
    "inspect": ("inspect", "Show the state of a session's process."),
    "pull": ("pull", "Fetch the source a session was started with, into the folder PATH."),
    "download": ("download", "Fetch what a program wrote in /app into the folder PATH, once it has ended."),
    "dataset": ("dataset", "Push and list datasets, show their boards."),
    "login": ("login", "Log in to a platform."),
    "logout": ("logout", "Forget the login of this machine."),
    "status": ("status", "Show the platform and what of yours waits."),
    "gpumonitor": ("gpumonitor", "Show the machines and their GPUs."),
    "credit": ("credit", "Show your credit."),
    "web": ("web", "Log a browser in."),
    "user": ("user", "Look after accounts."),
    "image": ("image", "Decide what the names of images mean."),
    "automl": ("automl", "Search for hyper-parameters: comes in a later version."),
    "node": ("node", "Add machines and take them away."),
    "worker": ("worker", "Add this machine to a platform and run boxes for it."),
    "up": ("up", "Start a platform on this machine."),
    "doctor": ("doctor", "Say what this machine can enforce when it runs boxes."),
}

EPILOG = """\b
The five commands of a competition, in a folder with main.py:
  nsmlctl run -d kin_phase1 main.py
  nsmlctl logs -f session/1
  nsmlctl model ls session/1
  nsmlctl submit session/1
  nsmlctl dataset board kin_phase1

\b
A SESSION is USER/DATASET/N, or short for one's own: DATASET/N, session/N, N.

\b
Exit codes:
  0    done
  1    it failed: the run, the submit, or the operation
  2    it was typed wrongly, or names several sessions
  3    not logged in, or not allowed
  4    no such session, dataset, checkpoint or user
  5    the platform cannot be reached
  130  Ctrl-C
"""


class LazyGroup(click.Group):
    """Knows its commands by name and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """None when there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"nsmlctl.commands.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table: importing every command would make --help slow."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but guesses what a mistyped command was meant to be."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            raise click.UsageError(_unknown(name), ctx)
        return super().resolve_command(ctx, args)


def _unknown(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, COMMANDS, n=1)
    guess = f" Did you mean '{near[0]}'?" if near else ""
    return f"There is no command '{name}'.{guess}"


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from nsmlctl import version_lines

        click.echo(version_lines())
        ctx.exit()


SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings=SETTINGS)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show it.")
def nsmlctl() -> None:
    """Machine-learning competitions in which your code travels to the data.

    A dataset stays where it is; the program in this folder is run beside it, in a box. What it saves can be scored on a
    test that nobody may see.
    """
