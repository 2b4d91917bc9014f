"""`nsmlctl credit`: kept for those who look for it."""

from __future__ import annotations

import click

from nsmlctl.commands.options import examples, json_option
from nsmlctl.output import echo, echo_json, tell
from nsmlctl.workplace import Workplace, pass_workplace


@click.command(epilog=examples("nsmlctl credit", "nsmlctl credit -j"))
@json_option
@pass_workplace
def command(place: Workplace, as_json: bool) -> None:
    """Show your credit.

    A platform without credits says so: what a session may use is decided by what is free.
    """
    me = place.api().me()
    credit = me.get("credit")
    if as_json:
        echo_json({"user": me["user"], "credit": credit})
        return
    echo(f"User : {me['user']} credit {'unlimited' if credit is None else credit}")
    if credit is None:
        tell("This platform counts no credits; `nsmlctl gpumonitor` shows what is free.")
