"""`nsmlctl download`: files of a session's folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from nsmlctl.commands.options import examples, json_option, verbose_option
from nsmlctl.errors import NotFound
from nsmlctl.fetching import Json, fetch_tree
from nsmlctl.output import echo, echo_json, tell
from nsmlctl.workplace import Workplace, pass_workplace

APP = "/app/"  # where a program lay in NSML, and lies in a box


@click.command(epilog=examples("nsmlctl download session/1 ./out", "nsmlctl download -s /app/main.py session/1 ./out"))
@click.argument("session")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("-s", "--source", "file", help="Only this file.")
@click.option("-f", "--force", is_flag=True, help="Overwrite what is there.")
@verbose_option
@json_option
@pass_workplace
def command(
    place: Workplace, session: str, path: Path, file: str | None, force: bool, verbose: bool, as_json: bool
) -> None:
    """Fetch files of a session's folder /app.

    What was uploaded. What the program wrote there lives as long as its box; what is to stay is kept with nsml.save and fetched with
    `nsmlctl model pull`.
    """
    api, reference, target = place.api(), place.session(session), place.folder / path
    tree = chosen(api.code(reference), file, session)
    files = fetch_tree(tree, partial(api.code_file, reference), target, force=force, verbose=verbose)
    if as_json:
        echo_json({"path": str(target), "files": files})
        return
    echo(f"{len(files)} files are in {path}")
    tell("Uploaded files only: what the program saved is fetched with `nsmlctl model pull SESSION CHECKPOINT PATH`.")


def chosen(tree: Json, file: str | None, session: str) -> Json:
    """The tree, or the one file of it. Raises NotFound with the way to what a program wrote itself."""
    if file is None:
        return tree
    path = file.removeprefix(APP)
    entries = [entry for entry in tree["files"] if entry["path"] == path]
    if not entries:
        raise NotFound(
            f"{file} was not uploaded with {session}.",
            f"While the program runs: nsmlctl sh {session} 'cat {file}'. What it saved: nsmlctl model ls {session}",
        )
    return {"files": entries}
