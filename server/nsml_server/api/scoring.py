"""What the owner of a dataset may know and do of its scoring."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from nsml_server.api.answers import Json
from nsml_server.api.callers import TheCaller, ThePlatform
from nsml_server.api.schemas import LARGEST, Rescore
from nsml_server.services import problems, rescoring, scoring_views

router = APIRouter(tags=["datasets"])
Last = Annotated[int, Query(ge=0, le=rescoring.MAX_LIST)]


@router.post("/datasets/{name}/rescore", status_code=202)
def rescore(platform: ThePlatform, caller: TheCaller, name: str, asked: Rescore) -> Json:
    """Score submissions of a dataset of your own again, on the predictions that are kept, with the dataset as it is now.

    Where `more_after` is not null there are more: ask again with it as `after`.
    """
    with platform.database.write() as tx:
        begun = rescoring.begin(platform, tx, caller, name, asked.to_wish())
        answer = [scoring_views.rescoring(row) for row in begun.rescorings]
    left_out = [{"submission": number, "why": why} for number, why in begun.left_out]
    return Json({"rescorings": answer, "left_out": left_out, "more_after": begun.more_after}, 202)


@router.get("/datasets/{name}/rescorings")
def list_rescorings(
    platform: ThePlatform,
    caller: TheCaller,
    name: str,
    after: Annotated[int, Query(ge=0, le=LARGEST)] = 0,
    last: Last = 100,
) -> Json:
    """What was scored again on a dataset of your own, newest first; `after` an id: only later ones."""
    with platform.database.read() as tx:
        rows = rescoring.listed(tx, caller, name, after, last)
        return Json({"rescorings": [scoring_views.rescoring(row) for row in rows]})


@router.get("/datasets/{name}/problems")
def list_problems(platform: ThePlatform, caller: TheCaller, name: str, last: Last = 20) -> Json:
    """What the evaluation and the loader of a dataset of your own failed at, with the end of the evaluation's log."""
    with platform.database.read() as tx:
        found = problems.of_dataset(platform, tx, caller, name, last)
        return Json({"problems": [scoring_views.problem(problem) for problem in found]})
