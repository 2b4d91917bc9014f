"""`nsmlctl automl`: keeps its place."""

from __future__ import annotations

import click

from nsmlctl.commands.options import GoCommand, examples
from nsmlctl.errors import Refused


@click.command(
    cls=GoCommand,
    context_settings={"ignore_unknown_options": True},
    epilog=examples("nsmlctl automl run -c config.json", "nsmlctl automl rank"),
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[run|ps|stop|rm|memo|rank|logs]...")
def command(words: tuple[str, ...]) -> None:
    """Search for hyper-parameters: comes in a later version."""
    asked = f" {words[0]}" if words else ""
    raise Refused(
        f"automl{asked}: the search for hyper-parameters comes in a later version.",
        'Until then one session for each: for lr in 0.1 0.01; do nsmlctl run -d DATASET -a "--lr $lr"; done',
    )
