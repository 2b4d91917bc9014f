"""Credits: how one stands, and who gives them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from nsml_server.api.answers import Json
from nsml_server.api.callers import TheAdmin, TheCaller, ThePlatform
from nsml_server.api.schemas import NewGrant
from nsml_server.domain.credits import Every
from nsml_server.errors import Forbidden
from nsml_server.services import credits, views

router = APIRouter(tags=["credits"])
Name = Annotated[str, Query(max_length=200)]


@router.get("/credit")
def show_credit(platform: ThePlatform, caller: TheCaller, user: Name | None = None) -> Json:
    """One's own balance and what led to it; of others for administrators only. No balance: not limited."""
    if user not in (None, caller.name) and not caller.admin:
        raise Forbidden("Only an administrator may look at the credit of others.")
    with platform.database.read() as tx:
        name = user or caller.name
        return Json(views.credit(name, credits.statement_of(platform, tx, name)))


@router.post("/credit/grants", status_code=201)
def grant(platform: ThePlatform, _: TheAdmin, asked: NewGrant) -> Json:
    """Give credits once, or again every period. Administrators only."""
    with platform.database.write() as tx:
        if asked.every is None:
            credits.grant(platform, tx, asked.user, asked.credit, asked.note)
        else:
            credits.schedule(platform, tx, asked.user, asked.credit, Every(asked.every), asked.ceiling)
        known = None if asked.user == credits.EVERYONE else credits.statement_of(platform, tx, asked.user)
        answer = {"user": asked.user} if known is None else views.credit(asked.user, known)
    return Json(answer, 201)


@router.delete("/credit/schedules/{schedule}", status_code=204)
def end_schedule(platform: ThePlatform, _: TheAdmin, schedule: int) -> Response:
    """Repeat a grant no more. Administrators only."""
    with platform.database.write() as tx:
        credits.end_schedule(tx, schedule)
    return Response(status_code=204)
