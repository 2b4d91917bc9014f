"""`nsmlctl dataset search`, `fs`, `pull`, `change`: finding a dataset, and what its owner may still do with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click

from nsmlctl.commands.options import Bytes, GoCommand, examples, historic, json_option, verbose_option
from nsmlctl.errors import BadUsage, NotFound, Refused, VersionSkew
from nsmlctl.fetching import fetch_tree
from nsmlctl.output import DATASET_COLUMNS, dataset_row, echo, echo_json, echo_table, files_are, right_now, size_text
from nsmlctl.wildcards import as_pattern, has_wildcard
from nsmlctl.workplace import Workplace, pass_workplace

FILE_COLUMNS = ("File", "Size")
MOST = 100  # files listed unless all are asked for


@contextmanager
def told_if_lacking(what: str, instead: str) -> Iterator[None]:
    """A platform whose API has no such request says so in the person's words."""
    try:
        yield
    except VersionSkew as error:
        raise Refused(f"This platform does not {what}.", instead) from error


@click.command(cls=GoCommand, epilog=examples("nsmlctl dataset search kin", "nsmlctl dataset search 'kin_*'"))
@click.argument("name")
@json_option
@pass_workplace
def search(place: Workplace, name: str, as_json: bool) -> None:
    """Find datasets by name; `*` and `?` fit any letters, quoted."""
    pattern = as_pattern(name if has_wildcard(name) else f"*{name}*")
    found = [dataset for dataset in place.api().datasets() if pattern.fullmatch(str(dataset["name"]))]
    if as_json:
        echo_json({"datasets": found})
        return
    if not found:
        raise NotFound(f"No dataset's name fits '{name}'.", "`nsmlctl dataset ls` lists them all.")
    now = right_now()
    echo_table(DATASET_COLUMNS, [dataset_row(dataset, now) for dataset in found])


@click.command(cls=GoCommand, epilog=examples("nsmlctl dataset fs kin_phase1", "nsmlctl dataset fs -a kin_phase1"))
@click.argument("name")
@click.option("-a", "--all", "every", is_flag=True, help=f"All files, not only {MOST}.")
@historic(
    "-u", "--user", takes_value=True, sentence="-u: not needed; a name belongs to one dataset, whoever pushed it."
)
@json_option
@pass_workplace
def fs(place: Workplace, name: str, every: bool, as_json: bool) -> None:
    """List the files of a dataset, as far as you may see them."""
    with told_if_lacking("list the files of datasets", "A program in a session sees its part of them."):
        files = place.api().dataset_tree(name)["files"]
    shown = files if every else files[:MOST]
    if as_json:
        echo_json({"files": shown})
        return
    echo_table(FILE_COLUMNS, [(str(file["path"]), size_text(file["size"])) for file in shown])
    if len(shown) < len(files):
        echo(f"… and {len(files) - len(shown)} more; -a lists all")


@click.command(cls=GoCommand, epilog=examples("nsmlctl dataset pull kin_phase1 ./mine"))
@click.argument("name")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("-f", "--force", is_flag=True, help="Overwrite what is there.")
@verbose_option
@json_option
@pass_workplace
def pull(place: Workplace, name: str, path: Path, force: bool, verbose: bool, as_json: bool) -> None:
    """Fetch a dataset of your own into the folder PATH.

    Other people's datasets stay where they are: code travels to the data.
    """
    api, target = place.api(), place.folder / path
    with told_if_lacking("give datasets away", "A program in a session sees its part of them."):
        files = fetch_tree(
            api.dataset_tree(name), partial(api.dataset_file, name), target, force=force, verbose=verbose
        )
    if as_json:
        echo_json({"path": str(target), "files": files})
    else:
        echo(f"{files_are(len(files))} in {path}")


@click.command(
    cls=GoCommand,
    epilog=examples(
        'nsmlctl dataset change kin_phase1 --description "second round"',
        "nsmlctl dataset change kin_phase1 --keep-models --model-size-limit 300M",
    ),
)
@click.argument("name")
@click.option("--description", help="One line about it.")
@click.option("--metric", help="accuracy, f1, mse, or custom.")
@click.option("--order", type=click.Choice(["ascending", "descending"]), help="Which scores come first.")
@click.option("--leaderboard/--no-leaderboard", default=None, help="Whether it is a competition with a board.")
@click.option(
    "--let-models-go/--keep-models",
    "pull_models",
    default=None,
    help="Whether checkpoints trained on it may be fetched.",
)
@click.option(
    "--max-model-size",
    "--model-size-limit",
    "max_model_bytes",
    type=Bytes(),
    help="The largest checkpoint, like 300M; 0 for no limit.",
)
@click.option(
    "--network", help="Operator: a network its trainings may have, where machines allow it; none takes it away."
)
@historic("--tags", "--tag", takes_value=True, sentence="--tags: not kept; write what matters in --description.")
@historic("-u", "--user", takes_value=True, sentence="-u: not needed; everybody here may train on every dataset.")
@json_option
@pass_workplace
def change(place: Workplace, /, name: str, as_json: bool, **wish: Any) -> None:
    """Change what is said of a dataset of your own; its files stay.

    With another metric its board begins anew, since scores of two metrics cannot be compared.
    """
    given = {key: value for key, value in wish.items() if value is not None}
    if not given:
        raise BadUsage("What is to change?", "Give --description, --metric, --order or another option; see --help.")
    if given.get("max_model_bytes") == 0:
        given["max_model_bytes"] = None
    if given.get("network") == "none":
        given["network"] = None
    with told_if_lacking("change a dataset in place", "Push it again with -f; its board stays."):
        dataset = place.api().change_dataset(name, given)
    if as_json:
        echo_json(dataset)
    else:
        echo(f"Dataset {name} is changed")
