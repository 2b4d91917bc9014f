"""`nsmlctl dataset`: for organisers a push, for everybody the boards."""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from nsmlctl.api import Api
from nsmlctl.commands.options import Bytes, GoGroup, examples, historic, json_option, silent
from nsmlctl.errors import BadUsage, NotFound, Refused, VersionSkew
from nsmlctl.evaluation import with_evaluation
from nsmlctl.folder import read_folder, upload_folder
from nsmlctl.ignore import CLUTTER
from nsmlctl.manifest import Manifest
from nsmlctl.output import (
    BOARD_COLUMNS,
    DATASET_COLUMNS,
    board_row,
    dataset_row,
    echo,
    echo_json,
    echo_table,
    right_now,
    size_text,
    tell,
)
from nsmlctl.workplace import Workplace, pass_workplace

# What is asked for less often lies in a module of its own, imported when it is typed.
SELDOM = dict.fromkeys(("search", "fs", "pull", "change"), "nsmlctl.commands.dataset_files")
SELDOM |= dict.fromkeys(("problems", "rescore"), "nsmlctl.commands.dataset_scoring")


class DatasetGroup(GoGroup):
    """Knows the seldom commands by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All of them."""
        return [*super().list_commands(ctx), *SELDOM]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See click."""
        if cmd_name not in SELDOM:
            return super().get_command(ctx, cmd_name)
        found: click.Command = getattr(importlib.import_module(SELDOM[cmd_name]), cmd_name)
        return found


@click.group(cls=DatasetGroup, epilog=examples("nsmlctl dataset ls", "nsmlctl dataset board kin_phase1"))
def command() -> None:
    """Push and list datasets, show their boards."""


@command.command(
    epilog=examples(
        "nsmlctl dataset push kin_phase1 ./dataset -l --metric accuracy --order descending",
        "nsmlctl dataset push food ./food -l -e evaluation.py --order descending -f",
    )
)
@click.argument("name")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("-l", "--leaderboard", is_flag=True, help="It is a competition: hide test/, show a board.")
@click.option("--metric", help="accuracy, f1, mse, or custom.  [default: custom with -e, else accuracy]")
@click.option("--order", type=click.Choice(["ascending", "descending"]), help="Which scores come first.")
@click.option("--description", default="", help="One line about it.")
@click.option("-e", "--evaluation", help="A program that prints the score on its last line.")
@click.option("-f", "--force", is_flag=True, help="Replace a dataset of this name.")
@click.option("--keep-models", is_flag=True, help="Let nobody fetch the checkpoints that are trained on it.")
@click.option("-v", "--verbose", is_flag=True, help="List the files that go up.")
@click.option("--private", is_flag=True, hidden=True)
@historic("--tags", "--tag", takes_value=True, sentence="--tags: not kept; write what matters in --description.")
@click.option(
    "--max-model-size",
    "--model-size-limit",
    "max_model_bytes",
    type=Bytes(),
    help="The largest checkpoint that may be saved, like 300M.",
)
@historic("--copy", "--copy-to-all", sentence="--copy: not needed; each machine fetches a dataset once and keeps it.")
@json_option
@pass_workplace
def push(
    place: Workplace,
    /,
    name: str,
    path: Path,
    evaluation: str | None,
    metric: str | None,
    private: bool,
    keep_models: bool,
    max_model_bytes: int | None,
    verbose: bool,
    as_json: bool,
    **wish: Any,
) -> None:
    """Upload the folder PATH as the dataset NAME.

    A competition's folder holds data_loader.py, train/, test/test_data and test/test_label. It is checked before it is accepted.
    Without -l programs find a folder without a train/ of its own at DATASET_PATH/train/PATH, and its files at DATASET_PATH too.
    """
    if private:  # going on would show everybody what was meant to be hidden
        raise BadUsage("--private: everybody on this platform may train on every dataset.", "Nothing was sent.")
    folder = place.folder / path
    if not folder.is_dir():
        raise BadUsage(f"'{path}' is not a folder.", "A dataset is a folder; name the one to push.")
    api = place.api()
    manifest = read_folder(place, folder, CLUTTER)
    if evaluation:
        manifest = with_evaluation(manifest, evaluation, (place.folder, folder))
    elif not wish["leaderboard"]:
        manifest = laid_out(manifest, folder.absolute())
    if verbose:
        tell("".join(f"{file.path} {size_text(file.size)}\n" for file in manifest.entries).rstrip())
    if keep_models:
        wish["pull_models"] = False
    if max_model_bytes:
        wish["max_model_bytes"] = max_model_bytes
    wish["metric"] = metric or ("custom" if evaluation else "accuracy")
    _refuse_taken(api, name, wish["force"])
    try:
        upload_folder(api, place, folder, manifest, dataset_limits(api.platform()))
    except KeyboardInterrupt:
        tell("\nThe upload was interrupted: no dataset was made or changed.")
        raise
    dataset = api.push_dataset(name, {**wish, "tree": manifest.to_tree()})
    if as_json:
        echo_json(dataset)
    else:
        _announce(dataset)


def _refuse_taken(api: Api, name: str, force: bool) -> None:
    """Raises Refused before the upload, where the push would be refused after it."""
    if force:
        return
    with suppress(NotFound, VersionSkew):
        api.dataset(name)
        raise Refused(f"There is a dataset {name} already.", "Say `-f` to push a new version, or choose another name.")


def laid_out(manifest: Manifest, folder: Path) -> Manifest:
    """As NSML laid out what is no competition: below train/, in a folder of its name. The platform shows it at the root, too."""
    name = Path(os.path.normpath(folder)).name
    if not name or any(entry.path.startswith("train/") for entry in manifest.entries):
        return manifest
    tell(f"Programs find its files at DATASET_PATH, and as in NSML at DATASET_PATH/train/{name}.")
    return manifest.below(f"train/{name}")


def dataset_limits(platform: dict[str, Any]) -> dict[str, Any]:
    """A dataset may be larger than a program; what the platform does not tell, it checks itself."""
    limits = platform.get("limits") or {}
    names = {"upload_bytes": "dataset_bytes", "upload_files": "dataset_files", "file_bytes": "dataset_file_bytes"}
    return {name: limits.get(told) for name, told in names.items()}


def _announce(dataset: dict[str, Any]) -> None:
    echo(f"Dataset {dataset['name']} is pushed")
    if dataset.get("url"):
        echo(f"  {dataset['url']}")
    echo(f"Next:  nsmlctl run -d {dataset['name']}")


@command.command(epilog=examples("nsmlctl dataset ls", "nsmlctl dataset ls -j"))
@json_option
@pass_workplace
def ls(place: Workplace, as_json: bool) -> None:
    """List the datasets you may use."""
    datasets = place.api().datasets()
    if as_json:
        echo_json({"datasets": datasets})
        return
    now = right_now()
    echo_table(DATASET_COLUMNS, [dataset_row(dataset, now) for dataset in datasets])


@command.command(epilog=examples("nsmlctl dataset board kin_phase1", "nsmlctl dataset board kin_phase1 --mine -j"))
@click.argument("name")
@click.option("--mine", is_flag=True, help="All your own submissions instead of everybody's best.")
@json_option
@pass_workplace
def board(place: Workplace, name: str, mine: bool, as_json: bool) -> None:
    """Show a competition's leaderboard, best first."""
    found = place.api().board(name, mine=mine)
    if as_json:
        echo_json(found)
        return
    now = right_now()
    echo_table(BOARD_COLUMNS, [board_row(entry, now) for entry in found["entries"]])
    if not found.get("leaderboard", True):
        tell(f"{name} has no leaderboard, so nothing can be submitted to it.")
    elif not found["entries"]:
        tell("No score yet; `nsmlctl submit SESSION` brings one.")


@command.command(epilog=examples("nsmlctl dataset rm kin_phase1", "nsmlctl dataset rm -f kin_phase1"))
@click.argument("name")
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@silent("-v", "--verbose")
@json_option
@pass_workplace
def rm(place: Workplace, name: str, force: bool, as_json: bool) -> None:
    """Remove a dataset and its board."""
    if not force:
        if not sys.stdin.isatty():
            raise BadUsage("Removing a dataset removes its board too.", "Say that you mean it: add -f.")
        click.confirm(f"Remove {name} and its board?", abort=True, err=True)
    place.api().remove_dataset(name)
    if as_json:
        echo_json({"removed": [name]})
    else:
        echo(f"Dataset {name} is removed")
