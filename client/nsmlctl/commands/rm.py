"""`nsmlctl rm`: deletes sessions."""

from __future__ import annotations

import click

from nsmlctl.api import Api
from nsmlctl.commands.options import GoCommand, examples, json_option
from nsmlctl.errors import NotFound, Refused
from nsmlctl.output import echo, echo_json, plain, tell
from nsmlctl.references import SessionReference, parse_session
from nsmlctl.submissions import cancel_open, title
from nsmlctl.wildcards import choose_sessions
from nsmlctl.workplace import Workplace, pass_workplace

STOP_DELAYS = (0.1, 0.2, 0.5, *(1.0,) * 40)  # seconds; a program has half a minute to obey before it is killed


@click.command(
    cls=GoCommand,
    epilog=examples("nsmlctl rm session/1", "nsmlctl rm -f kin_phase1/3 kin_phase1/4", "nsmlctl rm 'kin_phase1/1?'"),
)
@click.argument("sessions", nargs=-1, required=True, metavar="SESSION...")
@click.option("-f", "--force", is_flag=True, help="First end it and its submits when they still go on.")
@click.option("-s", "--skip", is_flag=True, help="Go on with the others when one cannot be removed.")
@json_option
@pass_workplace
def command(place: Workplace, sessions: tuple[str, ...], force: bool, skip: bool, as_json: bool) -> None:
    """Remove sessions with their logs and checkpoints.

    `*` and `?` fit many of your own; quote them. Scores on a leaderboard stay.
    """
    api = place.api()
    removed = []
    for reference in choose_sessions(api, place, sessions, skip=skip):
        try:
            removed.append(_remove(api, place, reference, force))
        except (Refused, NotFound) as error:
            if not skip:
                raise
            tell(f"Skipped: {error}")
        else:
            if not as_json:
                echo(f"Session {removed[-1]} is removed")
    if as_json:
        echo_json({"removed": removed})


def _remove(api: Api, place: Workplace, reference: SessionReference, force: bool) -> str:
    session = api.session(reference)
    full = parse_session(str(session["name"]))
    if force:
        for submission in cancel_open(api, session):
            tell(f"{title(submission)} of checkpoint {plain(str(submission['checkpoint']))}: {submission['state']}")
    if force and not session["final"]:
        _stop(place, full)
    api.remove_session(full)
    return str(session["name"])


def _stop(place: Workplace, reference: SessionReference) -> None:
    api = place.api()
    session = api.stop_session(reference)
    for delay in STOP_DELAYS:
        if session["final"]:
            return
        place.pause(delay)
        session = api.session(reference)
    raise Refused(f"Session {session['name']} is still {str(session['status']).lower()}.", "Try again in a minute.")
