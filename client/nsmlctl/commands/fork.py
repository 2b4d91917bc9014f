"""`nsmlctl fork`: the same program again, beginning at a checkpoint."""

from __future__ import annotations

import uuid
from typing import Any

import click

from nsmlctl.commands.options import Bytes, GoCommand, ProgramArguments, examples, json_option, silent
from nsmlctl.commands.starting import conclude_start, start
from nsmlctl.workplace import Workplace, pass_workplace


@click.command(
    cls=GoCommand,
    epilog=examples("nsmlctl fork session/1", 'nsmlctl fork kin_phase1/3 -c best -a "--lr 0.001" -m "smaller steps"'),
)
@click.argument("session")
@click.option("-c", "--checkpoint", help="Where to begin.  [default: the newest]")
@click.option("-a", "--args", type=ProgramArguments(), help="Other arguments for the program.  [default: the same]")
@click.option("-e", "--entry", help="Another program of the same upload.")
@click.option("--image", help="Another image; `nsmlctl image ls` shows what is known.  [default: as before]")
@click.option("-m", "--memo", help="A description.")
@click.option("-g", "--gpus", type=click.IntRange(0), help="GPUs.  [default: as before]")
@click.option("--cpus", "--cpu", type=click.IntRange(1), help="CPU cores.  [default: as before]")
@click.option("--memory", type=Bytes(), help="Memory, like 12G.")
@click.option("--shm-size", "shm", type=Bytes(), help="Size of /dev/shm, like 1G.")
@silent("-v", "--verbose")
@json_option
@pass_workplace
def command(place: Workplace, /, session: str, as_json: bool, **wish: Any) -> None:
    """Train on from a checkpoint, in a new session.

    The program that was uploaded with SESSION is started with its arguments and `--pause 1 --iteration CHECKPOINT`: nsml.paused loads
    the checkpoint and returns. The session it comes from stays as it is.
    """
    api, reference = place.api(), place.session(session)
    made = start(api, place, lambda: api.fork_session(reference, wish, key=str(uuid.uuid4())))
    conclude_start(made, as_json)
