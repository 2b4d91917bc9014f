"""`nsmlctl memo`: a session's description."""

from __future__ import annotations

import click

from nsmlctl.commands.options import examples
from nsmlctl.output import echo
from nsmlctl.workplace import Workplace, pass_workplace


@click.command(epilog=examples('nsmlctl memo session/1 "larger vocabulary"', 'nsmlctl memo session/1 ""'))
@click.argument("session")
@click.argument("text")
@pass_workplace
def command(place: Workplace, session: str, text: str) -> None:
    """Change a session's description."""
    changed = place.api().change_memo(place.session(session), text)
    echo(f"Session {changed['name']}: {changed['memo']}")
