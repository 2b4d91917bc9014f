"""`nsmlctl stop`: ends a program."""

from __future__ import annotations

import click

from nsmlctl.commands.options import examples
from nsmlctl.output import echo
from nsmlctl.workplace import Workplace, pass_workplace


@click.command(epilog=examples("nsmlctl stop session/1", "nsmlctl stop kin_phase1/3 kin_phase1/4"))
@click.argument("sessions", nargs=-1, required=True, metavar="SESSION...")
@pass_workplace
def command(place: Workplace, sessions: tuple[str, ...]) -> None:
    """Stop a session.

    Its log and its checkpoints stay.
    """
    api = place.api()
    for reference in [place.session(text) for text in sessions]:
        session = api.stop_session(reference)
        echo(f"Session {session['name']}: {session['status']}")
