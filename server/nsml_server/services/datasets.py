"""Datasets: pushed by an organiser, checked at the push, kept in versions."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nsml_server.domain import trees
from nsml_server.domain.datasets import MAX_SOURCE, check_contents
from nsml_server.domain.names import check_dataset, shown
from nsml_server.domain.ranking import check_metric, order_of
from nsml_server.errors import Conflict, Forbidden, Invalid, NotFound
from nsml_server.services import files, leaderboard
from nsml_server.services.accounts import Caller
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.repositories import datasets, manifests
from nsml_server.storage.tables import Dataset, DatasetVersion
from nsml_worker.contract import Tree

MAX_DESCRIPTION = 2000  # characters
CHANGEABLE = frozenset({"description", "leaderboard", "pull_models", "max_model_bytes", "network"})


@dataclass(frozen=True)
class Push:
    """What an organiser sends. None: what was said before stays."""

    name: str
    tree: Tree
    leaderboard: bool
    metric: str
    order: str | None
    description: str
    force: bool
    pull_models: bool | None = None
    max_model_bytes: int | None = None


def push(platform: Platform, tx: WriteTransaction, caller: Caller, asked: Push) -> Dataset:
    """Make a dataset, or a new version of one's own.

    Raises:
        Conflict: it exists, and `force` was not said.
        Invalid, TooLarge: something in it would fail a submit later; names the file.
    """
    _find_known(tx, caller, asked)  # what is refused is refused before the files are looked through
    order = order_of(check_metric(asked.metric), asked.order)
    tree = _checked_tree(platform, tx, caller, asked)
    leaderboard.take_turn(tx, asked.name)
    known = _find_known(tx, caller, asked)
    dataset = known or Dataset(name=asked.name, owner_id=caller.id, created_at=platform.now())
    recount = known is not None and (known.order, known.metric) != (order, asked.metric)
    dataset.metric, dataset.order, dataset.leaderboard = asked.metric, order, asked.leaderboard
    dataset.description, dataset.updated_at = asked.description, platform.now()
    if asked.pull_models is not None:
        dataset.pull_models = asked.pull_models
    if asked.max_model_bytes is not None:
        dataset.max_model_bytes = asked.max_model_bytes
    tx.add(dataset)
    tx.flush()
    tx.add(_next_version(platform, tx, dataset, tree, hides_test=dataset.leaderboard))
    tx.flush()
    if recount:
        leaderboard.recount(tx, dataset)
    platform.tell(tx, f"board:{dataset.name}")
    tx.refresh(dataset, ["owner"])
    return dataset


def change(platform: Platform, tx: WriteTransaction, caller: Caller, name: str, wish: Mapping[str, Any]) -> Dataset:
    """Change what is said of a dataset, without its files; only what `wish` names, of the fields of CHANGEABLE.

    A metric belongs to a version: another one makes a new version of the same files, and scores by the old metric leave the
    board. A new metric brings its own order unless one is named. A board that is taken away hides the test as before.

    Raises:
        Forbidden: it is somebody else's; or a network is named by someone who is no administrator.
        Invalid: a metric or an order we do not know, or files that a board would need are missing.
    """
    leaderboard.take_turn(tx, name)
    dataset = find(tx, name)
    require_owner(caller, dataset)
    if wish.get("network") is not None and not caller.admin:
        raise Forbidden(
            "Only an administrator may give a competition's trainings a network.",
            hint="It is a way out for everything they can read; ask the operator.",
        )
    metric, was = str(wish.get("metric", dataset.metric)), (dataset.metric, dataset.order)
    order = order_of(check_metric(metric), wish.get("order")) if {"metric", "order"} & set(wish) else dataset.order
    _check_description(str(wish.get("description", "")))
    for field in CHANGEABLE & set(wish):
        setattr(dataset, field, wish[field])
    dataset.metric, dataset.order, dataset.updated_at = metric, order, platform.now()
    tx.flush()
    _keep_version(platform, tx, dataset)
    if (metric, order) != was:
        leaderboard.recount(tx, dataset)
    platform.tell(tx, f"board:{dataset.name}")
    return dataset


def _find_known(tx: ReadTransaction, caller: Caller, asked: Push) -> Dataset | None:
    """The dataset that gets a new version; None: it is made now."""
    known = datasets.named(tx, check_dataset(asked.name))
    if known is not None:
        require_owner(caller, known)
        if not asked.force:
            raise Conflict(
                f"There is a dataset {asked.name} already.",
                hint="Say `-f` to push a new version, or choose another name.",
            )
    return known


def _keep_version(platform: Platform, tx: WriteTransaction, dataset: Dataset) -> None:
    """A new version of the same files when the newest is not what the dataset says now."""
    last = latest(tx, dataset)
    hides_test = last.hides_test or dataset.leaderboard
    if (last.metric, last.hides_test) == (dataset.metric, hides_test):
        return
    tree = manifests.load(tx, last.manifest)
    _check_files(platform, tree, dataset.leaderboard, dataset.metric)
    tx.add(_next_version(platform, tx, dataset, tree, hides_test=hides_test))
    tx.flush()


def find(tx: ReadTransaction, name: str) -> Dataset:
    """The dataset of this name.

    Raises:
        NotFound: there is none; names the nearest and lists them.
    """
    dataset = datasets.named(tx, name)
    if dataset is None:
        raise _unknown(name, [known.name for known in datasets.all_live(tx)])
    return dataset


def has_board(tx: ReadTransaction, name: str) -> bool:
    """Whether there is such a dataset, with a leaderboard."""
    dataset = datasets.named(tx, name)
    return dataset is not None and dataset.leaderboard


def latest(tx: ReadTransaction, dataset: Dataset) -> DatasetVersion:
    """What was pushed last."""
    version = datasets.latest_version(tx, dataset.id)
    if version is None:
        raise NotFound(f"Nothing has been pushed to {dataset.name} yet.")
    return version


def all_live(tx: ReadTransaction) -> Sequence[Dataset]:
    """Every dataset by name."""
    return datasets.all_live(tx)


def files_of(tx: ReadTransaction, caller: Caller, name: str) -> Tree:
    """What was pushed last, to its owner alone: the hidden test is part of it. Raises Forbidden."""
    dataset = find(tx, name)
    if not caller.admin and dataset.owner_id != caller.id:
        raise Forbidden(
            f"The files of {name} are {dataset.owner.name}'s.", hint="A program that runs on it finds them in /data."
        )
    return manifests.load(tx, latest(tx, dataset).manifest)


def is_owner(caller: Caller, dataset: Dataset) -> bool:
    """Whether it is theirs to change; an administrator's is every dataset."""
    return caller.admin or dataset.owner_id == caller.id


def require_owner(caller: Caller, dataset: Dataset) -> None:
    """Raises Forbidden for a dataset of somebody else's."""
    if not is_owner(caller, dataset):
        raise Forbidden(
            f"The dataset {dataset.name} is {dataset.owner.name}'s.", hint="Choose another name, or ask its owner."
        )


def delete(platform: Platform, tx: WriteTransaction, caller: Caller, name: str) -> None:
    """Take a dataset away; what began with it ends with it, and the name is free again."""
    dataset = find(tx, name)
    require_owner(caller, dataset)
    dataset.deleted_at = platform.now()
    tx.flush()
    platform.tell(tx, f"board:{name}")


def _checked_tree(platform: Platform, tx: ReadTransaction, caller: Caller, asked: Push) -> Tree:
    settings = platform.settings
    _check_description(asked.description)
    tree = trees.check_tree(
        asked.tree,
        max_files=settings.dataset_files,
        max_file_bytes=settings.dataset_file_bytes,
        max_bytes=settings.dataset_bytes,
    )
    files.require_held(tx, files.holder_of_user(caller.id), tree)
    _check_files(platform, tree, asked.leaderboard, asked.metric)
    return tree


def _check_description(text: str) -> None:
    if len(text) > MAX_DESCRIPTION:
        raise Invalid(f"The description is longer than {MAX_DESCRIPTION} characters.", hint="Shorten it.")


def _check_files(platform: Platform, tree: Tree, leaderboard: bool, metric: str) -> None:
    trees.check_dataset_tree(tree, leaderboard, metric)
    if leaderboard:
        limits = {trees.TEST_LABEL: platform.settings.dataset_file_bytes}
        check_contents(lambda path: files.read_text(platform, tree, path, limits.get(path, MAX_SOURCE)), metric)


def _next_version(
    platform: Platform, tx: WriteTransaction, dataset: Dataset, tree: Tree, *, hides_test: bool
) -> DatasetVersion:
    last = datasets.latest_version(tx, dataset.id)
    return DatasetVersion(
        dataset_id=dataset.id,
        number=last.number + 1 if last else 1,
        manifest=manifests.save(tx, tree),
        metric=dataset.metric,
        size=tree.size,
        hides_test=hides_test,
        created_at=platform.now(),
    )


def _unknown(name: str, known: list[str]) -> NotFound:
    near = difflib.get_close_matches(name, known, n=1)
    meant = f" Did you mean {near[0]}?" if near else ""
    listed = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
    return NotFound(
        f"There is no dataset {shown(name)}.{meant}",
        hint=f"There are: {listed}." if known else "Nobody has pushed one yet: `nsmlctl dataset push NAME FOLDER`.",
        code="no_such_dataset",
        details={"datasets": known},
    )
