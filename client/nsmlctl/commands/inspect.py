"""`nsmlctl inspect`: the state of a session's process."""

from __future__ import annotations

import click

from nsmlctl.commands.options import GoCommand, examples, json_option
from nsmlctl.output import echo_json, echo_table
from nsmlctl.workplace import Workplace, pass_workplace


@click.command(cls=GoCommand, epilog=examples("nsmlctl inspect session/1", "nsmlctl inspect kin_phase1/3 -j"))
@click.argument("session")
@json_option
@pass_workplace
def command(place: Workplace, session: str, as_json: bool) -> None:
    """Show the state of a session's process.

    Exit code 137 is a program that was killed, most often for its memory; OOMKilled tells.
    """
    answer = place.api().inspect(place.session(session))
    if as_json:
        echo_json(answer)
    else:
        echo_table(("State", "Value"), [(name, _shown(value)) for name, value in answer.items()])


def _shown(value: object) -> str:
    return "" if value is None else str(value)
