"""`nsmlctl sh`: a shell command beside the running program."""

from __future__ import annotations

import click

from nsmlctl.commands.exec import LOOSE
from nsmlctl.commands.options import GoCommand, examples, json_option
from nsmlctl.errors import BadUsage, Failed
from nsmlctl.output import echo_answer, echo_json, plain_lines
from nsmlctl.workplace import Workplace, pass_workplace

SHELL = ("/bin/sh", "-c")


@click.command(
    cls=GoCommand,
    context_settings=LOOSE,
    epilog=examples("nsmlctl sh session/1 'ls -l /app'", "nsmlctl sh session/1 nvidia-smi"),
)
@json_option
@click.argument("session")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="COMMAND...")
@pass_workplace
def command(place: Workplace, session: str, words: tuple[str, ...], as_json: bool) -> None:
    """Run a shell command in a session's box.

    Beside the program, with its rights. Ends with the command's own exit code.
    """
    if not words:
        raise BadUsage("Which command?", "nsmlctl sh SESSION 'ls /app'; there is no interactive shell in a box.")
    argv = [*SHELL, words[0]] if len(words) == 1 else list(words)
    answer = place.api().ask(place.session(session), {"do": "sh", "argv": argv})
    if as_json:
        echo_json(answer)
    else:
        echo_answer(answer.get("output"))
    if answer.get("error"):
        raise Failed(plain_lines(str(answer["error"])).strip())
    code = answer.get("exit_code")
    if isinstance(code, int) and code:
        click.get_current_context().exit(code)
