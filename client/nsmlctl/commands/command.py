"""`nsmlctl command`: how a session was started."""

from __future__ import annotations

import click

from nsmlctl.commands.options import GoCommand, examples, json_option
from nsmlctl.output import echo, echo_json, plain
from nsmlctl.workplace import Workplace, pass_workplace


@click.command(cls=GoCommand, epilog=examples("nsmlctl command session/1", "nsmlctl command kin_phase1/3 -j"))
@click.argument("session")
@json_option
@pass_workplace
def command(place: Workplace, session: str, as_json: bool) -> None:
    """Print the command a session was started with."""
    answer = place.api().command_line(place.session(session))
    if as_json:
        echo_json(answer)
    else:
        echo(plain(str(answer["command"])))
