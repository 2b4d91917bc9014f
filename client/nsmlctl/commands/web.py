"""`nsmlctl web`: from the terminal to the browser without a password."""

from __future__ import annotations

import click

from nsmlctl.commands.options import GoCommand, examples, json_option
from nsmlctl.output import echo, echo_json, tell
from nsmlctl.workplace import Workplace, pass_workplace


@click.command(cls=GoCommand, epilog=examples("nsmlctl web", "nsmlctl web --open"))
@click.option("--open", "open_it", is_flag=True, help="Open it in the browser of this machine.")
@json_option
@pass_workplace
def command(place: Workplace, open_it: bool, as_json: bool) -> None:
    """Log a browser in.

    Prints a link that works once, for a few minutes.
    """
    link = place.api().login_link()
    if as_json:
        echo_json(link)
    else:
        echo(link["url"])
    tell(f"Works once, within {link['expires_in'] // 60} minutes; whoever has it is you.")
    if open_it:
        click.launch(link["url"])
