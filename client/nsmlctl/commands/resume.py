"""`nsmlctl resume`: a stopped or failed session goes on."""

from __future__ import annotations

import uuid

import click

from nsmlctl.commands.options import GoCommand, examples, json_option
from nsmlctl.commands.starting import conclude_start, start
from nsmlctl.workplace import Workplace, pass_workplace


@click.command(cls=GoCommand, epilog=examples("nsmlctl resume session/1", "nsmlctl resume kin_phase1/3 -j"))
@click.argument("session")
@json_option
@pass_workplace
def command(place: Workplace, session: str, as_json: bool) -> None:
    """Go on with a stopped or failed session.

    From its last checkpoint if it has one, else from the beginning; with the same arguments, as a session with a number of its own.
    """
    api, reference = place.api(), place.session(session)
    made = start(api, place, lambda: api.resume_session(reference, key=str(uuid.uuid4())))
    conclude_start(made, as_json)
