"""`nsmlctl user`: accounts, for whoever looks after the platform."""

from __future__ import annotations

from urllib.parse import urlsplit

import click

from nsmlctl.commands.options import GoGroup, examples, json_option
from nsmlctl.output import echo, echo_json, tell
from nsmlctl.workplace import Workplace, pass_workplace

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@click.group(cls=GoGroup, epilog=examples("nsmlctl user add mina"))
def command() -> None:
    """Look after accounts."""


@command.command(epilog=examples("nsmlctl user add mina", "nsmlctl user add jun --admin"))
@click.argument("name")
@click.option("--admin", is_flag=True, help="May look after the platform too.")
@json_option
@pass_workplace
def add(place: Workplace, name: str, admin: bool, as_json: bool) -> None:
    """Make an account and print its token, this once."""
    login = place.login()
    made = place.api().add_user(name, admin=admin)
    if as_json:
        echo_json(made)
        return
    echo(made["token"])
    tell(f"That is the token of {made['user']}; it is not shown again. On their machine: nsmlctl login {login.server}")
    if urlsplit(login.server).hostname in LOOPBACK:
        tell(
            "That address is this machine alone; for others start it with `nsmlctl up --host 0.0.0.0` and name this machine."
        )
