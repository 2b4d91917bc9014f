"""`nsmlctl stop`: ends a program."""

from __future__ import annotations

import click

from nsmlctl.commands.options import GoCommand, examples, json_option
from nsmlctl.output import echo, echo_json, tell
from nsmlctl.submissions import how_to_cancel, open_of, title
from nsmlctl.wildcards import choose_sessions
from nsmlctl.workplace import Workplace, pass_workplace


@click.command(cls=GoCommand, epilog=examples("nsmlctl stop session/1", "nsmlctl stop kin_phase1/3 kin_phase1/4"))
@click.argument("sessions", nargs=-1, required=True, metavar="SESSION...")
@json_option
@pass_workplace
def command(place: Workplace, sessions: tuple[str, ...], as_json: bool) -> None:
    """Stop a session.

    Its log and its checkpoints stay, and `nsmlctl resume` goes on from the last one. Its submits go on, too.
    """
    api = place.api()
    stopped = []
    for reference in choose_sessions(api, place, sessions, going=True):
        stopped.append(api.stop_session(reference))
        if not as_json:
            echo(f"Session {stopped[-1]['name']}: {stopped[-1]['status']}")
        for submission in open_of(stopped[-1]):
            tell(f"{title(submission)} of it goes on; to end it: {how_to_cancel(stopped[-1]['name'])}")
    if as_json:
        echo_json({"sessions": stopped})
