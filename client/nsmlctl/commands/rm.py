"""`nsmlctl rm`: deletes sessions."""

from __future__ import annotations

import click

from nsmlctl.commands.options import examples
from nsmlctl.errors import Refused
from nsmlctl.output import echo
from nsmlctl.references import SessionReference, parse_session
from nsmlctl.workplace import Workplace, pass_workplace

STOP_DELAYS = (0.1, 0.2, 0.5, *(1.0,) * 40)  # seconds; a program has half a minute to obey before it is killed


@click.command(epilog=examples("nsmlctl rm session/1", "nsmlctl rm -f kin_phase1/3 kin_phase1/4"))
@click.argument("sessions", nargs=-1, required=True, metavar="SESSION...")
@click.option("-f", "--force", is_flag=True, help="Stop it first when it still goes on.")
@pass_workplace
def command(place: Workplace, sessions: tuple[str, ...], force: bool) -> None:
    """Remove sessions with their logs and checkpoints.

    Scores on a leaderboard stay.
    """
    api = place.api()
    for reference in [place.session(text) for text in sessions]:
        session = api.session(reference)
        full = parse_session(str(session["name"]))
        if force and not session["final"]:
            _stop(place, full)
        api.remove_session(full)
        echo(f"Session {session['name']} is removed")


def _stop(place: Workplace, reference: SessionReference) -> None:
    api = place.api()
    session = api.stop_session(reference)
    for delay in STOP_DELAYS:
        if session["final"]:
            return
        place.pause(delay)
        session = api.session(reference)
    raise Refused(f"Session {session['name']} is still {str(session['status']).lower()}.", "Try again in a minute.")
