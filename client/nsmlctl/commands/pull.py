"""`nsmlctl pull`: the source that was uploaded with a session."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from nsmlctl.commands.options import GoCommand, examples, json_option, verbose_option
from nsmlctl.fetching import fetch_tree
from nsmlctl.output import echo, echo_json, files_are
from nsmlctl.workplace import Workplace, pass_workplace


@click.command(cls=GoCommand, epilog=examples("nsmlctl pull session/1 ./old", "nsmlctl pull -f kin_phase1/3 ."))
@click.argument("session")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("-f", "--force", is_flag=True, help="Overwrite what is there.")
@verbose_option
@json_option
@pass_workplace
def command(place: Workplace, session: str, path: Path, force: bool, verbose: bool, as_json: bool) -> None:
    """Fetch the source a session was started with, into the folder PATH."""
    api, reference, target = place.api(), place.session(session), place.folder / path
    files = fetch_tree(api.code(reference), partial(api.code_file, reference), target, force=force, verbose=verbose)
    if as_json:
        echo_json({"path": str(target), "files": files})
    else:
        echo(f"{files_are(len(files))} in {path}")
