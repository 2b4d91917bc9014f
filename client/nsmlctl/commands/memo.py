"""`nsmlctl memo`: a session's description."""

from __future__ import annotations

import click

from nsmlctl.commands.options import GoCommand, examples, json_option
from nsmlctl.output import echo, echo_json
from nsmlctl.workplace import Workplace, pass_workplace


@click.command(
    cls=GoCommand, epilog=examples('nsmlctl memo session/1 "larger vocabulary"', 'nsmlctl memo session/1 ""')
)
@click.argument("session")
@click.argument("text")
@json_option
@pass_workplace
def command(place: Workplace, session: str, text: str, as_json: bool) -> None:
    """Change a session's description."""
    changed = place.api().change_memo(place.session(session), text)
    if as_json:
        echo_json(changed)
    else:
        echo(f"Session {changed['name']}: {changed['memo']}")
