"""`nsmlctl logout`: forgets what login wrote."""

from __future__ import annotations

import click

from nsmlctl.commands.options import GoCommand, examples, json_option
from nsmlctl.config import forget_login
from nsmlctl.output import echo, echo_json
from nsmlctl.workplace import Workplace, pass_workplace


@click.command(cls=GoCommand, epilog=examples("nsmlctl logout"))
@json_option
@pass_workplace
def command(place: Workplace, as_json: bool) -> None:
    """Forget the login of this machine.

    The token itself stays valid.
    """
    forgotten = forget_login(place.home)
    if as_json:
        echo_json({"logged_out": forgotten})
    else:
        echo("Logged out" if forgotten else "Nobody was logged in with `nsmlctl login`")
