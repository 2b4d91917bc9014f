"""`nsmlctl logout`: forgets what login wrote."""

from __future__ import annotations

import click

from nsmlctl.commands.options import examples
from nsmlctl.config import forget_login
from nsmlctl.output import echo
from nsmlctl.workplace import Workplace, pass_workplace


@click.command(epilog=examples("nsmlctl logout"))
@pass_workplace
def command(place: Workplace) -> None:
    """Forget the login of this machine.

    The token itself stays valid.
    """
    echo("Logged out" if forget_login(place.home) else "Nobody was logged in with `nsmlctl login`")
