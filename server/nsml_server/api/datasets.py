"""Datasets and their boards."""

from __future__ import annotations

from fastapi import APIRouter, Response

from nsml_server.api.answers import Json
from nsml_server.api.callers import TheCaller, ThePlatform
from nsml_server.api.schemas import DatasetChange, NewDataset
from nsml_server.services import datasets, leaderboard, views
from nsml_server.services.datasets import Push

router = APIRouter(tags=["datasets"])


@router.put("/datasets/{name}")
def push_dataset(platform: ThePlatform, caller: TheCaller, name: str, asked: NewDataset) -> Json:
    """Make a dataset, or with `force` a new version of your own. Its files are checked now, not at a submit."""
    push = Push(name=name, **{**dict(asked), "tree": asked.tree.to_tree()})
    with platform.database.write() as tx:
        answer = views.dataset(platform, tx, datasets.push(platform, tx, caller, push))
    return Json(answer)


@router.get("/datasets")
def list_datasets(platform: ThePlatform, _: TheCaller) -> Json:
    """All datasets by name."""
    with platform.database.read() as tx:
        return Json({"datasets": [views.dataset(platform, tx, row) for row in datasets.all_live(tx)]})


@router.get("/datasets/{name}")
def show_dataset(platform: ThePlatform, _: TheCaller, name: str) -> Json:
    """One dataset."""
    with platform.database.read() as tx:
        return Json(views.dataset(platform, tx, datasets.find(tx, name)))


@router.patch("/datasets/{name}")
def change_dataset(platform: ThePlatform, caller: TheCaller, name: str, asked: DatasetChange) -> Json:
    """Change a dataset of your own without pushing its files again. Another metric makes a new version of the same files."""
    with platform.database.write() as tx:
        answer = views.dataset(platform, tx, datasets.change(platform, tx, caller, name, asked.given()))
    return Json(answer)


@router.delete("/datasets/{name}", status_code=204)
def delete_dataset(platform: ThePlatform, caller: TheCaller, name: str) -> Response:
    """Take a dataset of your own away, with its board."""
    with platform.database.write() as tx:
        datasets.delete(platform, tx, caller, name)
    return Response(status_code=204)


@router.get("/datasets/{name}/board")
def show_board(platform: ThePlatform, caller: TheCaller, name: str, mine: bool = False) -> Json:
    """The leaderboard: each one's best; with `mine` all your own scores."""
    with platform.database.read() as tx:
        dataset = datasets.find(tx, name)
        rows = leaderboard.own(tx, dataset, caller.id) if mine else leaderboard.everyone(tx, dataset)
        return Json(views.board(dataset, rows))
