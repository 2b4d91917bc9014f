"""`nsmlctl infer`: a loaded model that answers."""

from __future__ import annotations

import uuid
from typing import Any

import click

from nsmlctl.commands.options import Bytes, GoCommand, examples, historic, json_option, silent
from nsmlctl.commands.starting import conclude_start, start
from nsmlctl.output import echo
from nsmlctl.workplace import Workplace, pass_workplace


@click.command(
    cls=GoCommand,
    epilog=examples("nsmlctl infer session/1 best", "nsmlctl infer kin_phase1/3 -d kin_phase2 -e serve.py"),
)
@click.argument("session")
@click.argument("checkpoint", required=False)
@click.option("-d", "--dataset", help="Another dataset than in training.")
@click.option("-e", "--entry", help="Another program of the same upload.")
@click.option("-m", "--memo", help="A description.")
@click.option("-g", "--gpus", type=click.IntRange(0), help="GPUs.  [default: as in training]")
@click.option("-c", "--cpus", "--cpu", type=click.IntRange(1), help="CPU cores.  [default: as in training]")
@click.option("--memory", type=Bytes(), help="Memory, like 12G.")
@silent("-v", "--verbose")
@historic(
    "--nfs-output",
    "--nfs",
    sentence="--nfs-output: there is no shared folder here; what a program prints is in its log.",
)
@json_option
@pass_workplace
def command(place: Workplace, /, session: str, as_json: bool, **wish: Any) -> None:
    """Load a checkpoint and keep it ready to answer.

    The new session lives until it is stopped or removed. Ask it with `nsmlctl exec SESSION 'nsml.infer(...)'`.
    """
    api, reference = place.api(), place.session(session)
    made = start(api, place, lambda: api.serve_session(reference, wish, key=str(uuid.uuid4())))
    conclude_start(made, as_json, tell_next=False)
    if not as_json:
        name = made["name"]
        echo(f"  {made['url']}")
        echo(f"Next:  nsmlctl exec {name} 'nsml.infer(...)'   |   nsmlctl logs -f {name}   |   nsmlctl stop {name}")
