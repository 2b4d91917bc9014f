"""`nsmlctl status`: what the platform is and has free."""

from __future__ import annotations

from typing import Any

import click

from nsmlctl import __version__
from nsmlctl.commands.gpumonitor import device_rows, node_row
from nsmlctl.commands.options import GoCommand, examples, json_option, verbose_option
from nsmlctl.output import echo, echo_json, waiting_text
from nsmlctl.workplace import Workplace, pass_workplace

Json = dict[str, Any]


@click.command(cls=GoCommand, epilog=examples("nsmlctl status", "nsmlctl status -j"))
@verbose_option
@json_option
@pass_workplace
def command(place: Workplace, verbose: bool, as_json: bool) -> None:
    """Show the platform and what of yours waits."""
    api, login = place.api(), place.login()
    platform, me = api.platform(), api.me()
    waiting = [session for session in api.sessions() if session.get("waiting")]
    if as_json:
        echo_json({"server": login.server, **me, **platform, "waiting": waiting})
        return
    echo(f"Platform  {login.server}, version {platform['version']} ({platform['mode']}); nsmlctl {__version__}")
    echo(f"You       {me['user']}{' (admin)' if me.get('admin') else ''}, by {login.source}")
    echo(f"Boxes     {confinement_line(platform)}")
    echo(f"Machines  {platform['nodes']} with {platform['gpus']} GPUs")
    if verbose:
        for node in api.nodes():
            echo(f"          {'  '.join(cell for cell in node_row(node) if cell)}")
            for row in device_rows(node):
                echo(f"            {'  '.join(cell for cell in row[1:] if cell)}")
    for session in waiting:
        echo(f"{session['name']}: {waiting_text(session)}")


def confinement_line(platform: Json) -> str:
    """How programs are sealed off, and whom that is good enough for."""
    sealed = str(platform.get("confinement") or "unknown")
    return f"{sealed}: only for people you trust" if platform.get("trusted_only") else sealed
