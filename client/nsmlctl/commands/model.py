"""`nsmlctl model`: checkpoints."""

from __future__ import annotations

import click

from nsmlctl.commands.options import examples, json_option
from nsmlctl.output import CHECKPOINT_COLUMNS, checkpoint_row, echo_json, echo_table, right_now
from nsmlctl.workplace import Workplace, pass_workplace


@click.group(epilog=examples("nsmlctl model ls session/1"))
def command() -> None:
    """Look at checkpoints."""


@command.command(epilog=examples("nsmlctl model ls session/1", "nsmlctl model ls kin_phase1/3 -j"))
@click.argument("session")
@json_option
@pass_workplace
def ls(place: Workplace, session: str, as_json: bool) -> None:
    """List a session's checkpoints with what was reported when they were saved."""
    checkpoints = place.api().checkpoints(place.session(session))
    if as_json:
        echo_json({"checkpoints": checkpoints})
        return
    now = right_now()
    echo_table(CHECKPOINT_COLUMNS, [checkpoint_row(checkpoint, now) for checkpoint in checkpoints])
