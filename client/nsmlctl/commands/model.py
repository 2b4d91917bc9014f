"""`nsmlctl model`: checkpoints."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from nsmlctl.commands.options import GoGroup, examples, json_option, verbose_option
from nsmlctl.errors import BadUsage, NotFound
from nsmlctl.fetching import fetch_tree
from nsmlctl.output import CHECKPOINT_COLUMNS, checkpoint_row, echo, echo_json, echo_table, files_are, right_now
from nsmlctl.workplace import Workplace, pass_workplace


@click.group(cls=GoGroup, epilog=examples("nsmlctl model ls session/1", "nsmlctl model pull session/1 best ./best"))
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


@command.command(epilog=examples("nsmlctl model rm session/1 3", "nsmlctl model rm session/1 '*1' '2?'"))
@click.argument("session")
@click.argument("checkpoints", nargs=-1, required=True, metavar="CHECKPOINT...")
@json_option
@pass_workplace
def rm(place: Workplace, session: str, checkpoints: tuple[str, ...], as_json: bool) -> None:
    """Remove checkpoints. `*` and `?` fit many names; quote them, or the shell takes them."""
    api, reference = place.api(), place.session(session)
    removed = [name for pattern in checkpoints for name in api.remove_checkpoints(reference, pattern)]
    if as_json:
        echo_json({"removed": removed})
    if not removed:
        raise NotFound(f"No checkpoint of {session} fits {' '.join(checkpoints)}.", f"nsmlctl model ls {session}")
    if not as_json:
        echo(f"Removed: {', '.join(removed)}")


@command.command(epilog=examples("nsmlctl model pull session/1 best", "nsmlctl model pull -f kin_phase1/3 10 ./model"))
@click.argument("session")
@click.argument("checkpoint")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("-f", "--force", is_flag=True, help="Overwrite what is there.")
@verbose_option
@json_option
@pass_workplace
def pull(
    place: Workplace, session: str, checkpoint: str, path: Path | None, force: bool, verbose: bool, as_json: bool
) -> None:
    """Fetch a checkpoint into the folder PATH, unless the organiser keeps models in.

    Without PATH into a folder of the checkpoint's name.
    """
    if "/" in checkpoint:
        raise BadUsage(
            f"'{checkpoint}' is not the name of a checkpoint.",
            f"nsmlctl model pull {session} CHECKPOINT [PATH]; `nsmlctl model ls {session}` lists the names.",
        )
    api, reference = place.api(), place.session(session)
    target = place.folder / (path or checkpoint)
    read = partial(api.checkpoint_file, reference, checkpoint)
    tree = api.checkpoint_tree(reference, checkpoint)
    files = fetch_tree(tree, read, target, force=force, verbose=verbose)
    if as_json:
        echo_json({"path": str(target), "files": files})
    else:
        echo(f"{files_are(len(files), f' of checkpoint {checkpoint}')} in {target}")
