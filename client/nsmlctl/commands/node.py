"""`nsmlctl node`: the machines that run boxes, for whoever looks after the platform."""

from __future__ import annotations

import click

from nsmlctl.commands.gpumonitor import COLUMNS, node_row, tell_problems, version_text
from nsmlctl.commands.options import GoGroup, examples, json_option
from nsmlctl.output import echo, echo_json, echo_table, tell
from nsmlctl.workplace import Workplace, pass_workplace


@click.group(cls=GoGroup, epilog=examples("nsmlctl node add", "nsmlctl node ls", "nsmlctl node drain rack1"))
def command() -> None:
    """Add machines and take them away."""


@command.command(epilog=examples("nsmlctl node add", "nsmlctl node add rack1"))
@click.argument("name", required=False)
@json_option
@pass_workplace
def add(place: Workplace, name: str | None, as_json: bool) -> None:
    """Print a token with which one machine adds itself, once and within a day.

    With NAME only a machine of that name, which may have been here before. Needs an admin's login.
    """
    login = place.login()
    made = place.api().make_join_token(name)
    if as_json:
        echo_json({"server": login.server, **made})
        return
    echo(made["token"])
    called = f" --name {name}" if name else ""
    tell(f"On that machine: nsmlctl worker --server {login.server}{called} --join {made['token']}")


@command.command(epilog=examples("nsmlctl node ls", "nsmlctl node ls -j"))
@json_option
@pass_workplace
def ls(place: Workplace, as_json: bool) -> None:
    """List the machines."""
    nodes = place.api().nodes()
    if as_json:
        echo_json({"nodes": nodes})
    else:
        echo_table((*COLUMNS, "Version"), [(*node_row(node), version_text(node)) for node in nodes])
        tell_problems(nodes)


@command.command(epilog=examples("nsmlctl node drain rack1", "nsmlctl node drain rack1 --undo"))
@click.argument("name")
@click.option("--undo", is_flag=True, help="Let it take runs again.")
@json_option
@pass_workplace
def drain(place: Workplace, name: str, undo: bool, as_json: bool) -> None:
    """Give a machine nothing new; what runs there goes on. Needs an admin's login."""
    changed = place.api().drain_node(name, drained=not undo)
    if as_json:
        echo_json(changed)
    else:
        echo(f"{name} {'takes runs again' if undo else 'is given nothing new'}")


@command.command(epilog=examples("nsmlctl node rm rack1", "nsmlctl node rm --force rack1"))
@click.argument("name")
@click.option("--force", is_flag=True, help="Even with runs on it: they are started elsewhere.")
@json_option
@pass_workplace
def rm(place: Workplace, name: str, force: bool, as_json: bool) -> None:
    """Take a machine away: its token opens nothing any more. Needs an admin's login."""
    place.api().remove_node(name, force=force)
    if as_json:
        echo_json({"removed": [name]})
    else:
        echo(f"{name} is removed")
