"""`nsmlctl download`: what a program wrote."""

from __future__ import annotations

import posixpath
from functools import partial
from pathlib import Path
from typing import Any

import click

from nsmlctl.api import Api
from nsmlctl.commands.options import GoCommand, examples, json_option, verbose_option
from nsmlctl.errors import NotFound
from nsmlctl.fetching import Json, Read, fetch_tree
from nsmlctl.output import echo, echo_json, files_are, plain, tell
from nsmlctl.references import SessionReference
from nsmlctl.wildcards import as_pattern, has_wildcard
from nsmlctl.workplace import Workplace, pass_workplace

APP = "/app"  # where a program lay in NSML, and lies in a box
TOLD = 5  # files left out that are named


@click.command(
    cls=GoCommand,
    epilog=examples(
        "nsmlctl download session/1",
        "nsmlctl download session/1 ./out",
        "nsmlctl download -s /app/result.csv -s 'plots/*' session/1 ./out",
    ),
)
@click.argument("session")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("-s", "--source", "wanted", multiple=True, help="Only this file or folder, or what a wildcard fits.")
@click.option("-f", "--force", is_flag=True, help="Overwrite what is there.")
@verbose_option
@json_option
@pass_workplace
def command(
    place: Workplace, /, session: str, path: Path | None, wanted: tuple[str, ...], as_json: bool, **how: Any
) -> None:
    """Fetch what a program wrote in /app into the folder PATH, once it has ended.

    Without PATH into a folder named after the session, like kin_phase1-3. With -s single files and folders of /app, those that were
    uploaded too. Checkpoints are fetched with `nsmlctl model pull`, all uploaded files with `nsmlctl pull`.
    """
    api, reference = place.api(), place.session(session)
    found, told = api.products(reference), api.session(reference)
    files = [{"path": str(name), "size": int(size)} for name, size in found["files"]]
    target = place.folder / (path or Path(f"{told['dataset']}-{told['number']}"))
    read: Read = partial(api.product_file, reference)
    if wanted:
        files, read = choose(api, reference, files, wanted)
    elif not files:
        raise NotFound(f"{told['name']} has no files to fetch.", _why_none(told))
    fetched = fetch_tree({"files": files}, read, target, **how)
    if as_json:
        echo_json({"path": str(target), "files": fetched, "left_out": found.get("left_out") or []})
        return
    echo(f"{files_are(len(fetched))} in {path or target.name}")
    if not wanted:
        _tell_left_out(found.get("left_out") or [])


def choose(
    api: Api, reference: SessionReference, files: list[Json], wanted: tuple[str, ...]
) -> tuple[list[Json], Read]:
    """Those that were asked for, of what lay in /app at the end: what was uploaded and what was written; and where to read each.

    Raises:
        NotFound: none is called so; lists what the program wrote.
    """
    written = {str(entry["path"]): entry for entry in files}
    lay = {str(entry["path"]): entry for entry in api.code(reference)["files"]} | written
    chosen: dict[str, Json] = {}
    for word in wanted:
        fitting = _fitting(word, lay)
        if not fitting:
            listed = ", ".join(list(written)[:10]) or "nothing yet"
            raise NotFound(
                f"There is no file or folder {word} in this session.", f"The program wrote: {plain(listed)}."
            )
        chosen |= fitting
    own = partial(api.product_file, reference)
    return list(chosen.values()), lambda path: own(path) if path in written else api.code_file(reference, path)


def _fitting(word: str, files: dict[str, Json]) -> dict[str, Json]:
    """The file of that name, all below the folder of that name, or all that a wildcard fits."""
    name = posixpath.relpath(posixpath.join(APP, word), APP)
    if has_wildcard(name):
        pattern = as_pattern(name)
        return {path: entry for path, entry in files.items() if pattern.fullmatch(path)}
    return {path: entry for path, entry in files.items() if name in (".", path) or path.startswith(f"{name}/")}


def _why_none(session: Json) -> str:
    name = session["name"]
    if not session["final"]:
        return f"They are collected when it ends. While it runs: nsmlctl sh {name} 'ls -l /app'"
    return f"The program left none beside its own. What it saved: nsmlctl model ls {name}; what was uploaded: nsmlctl pull {name} PATH"


def _tell_left_out(left_out: list[list[str]]) -> None:
    for path, why in left_out[:TOLD]:
        tell(f"Not kept: {plain(path)}: {plain(why)}")
    if len(left_out) > TOLD:
        tell(f"… and {len(left_out) - TOLD} more; -j lists all")
