"""Questions of people, fetched by the node that has the box, and what it brings back."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from nsml_server.api.answers import Json
from nsml_server.api.bodies import read_small
from nsml_server.api.callers import BearerToken, ThePlatform
from nsml_server.errors import Invalid
from nsml_server.services import accounts, questions
from nsml_server.services.platform import Platform
from nsml_server.services.polling import wait_for
from nsml_server.version import SAME_VERSION

router = APIRouter(prefix="/nodes/{name}/questions", tags=["nodes"])
LONGEST_WAIT = 25.0  # seconds; a worker gives up on a silent server after 30


@router.get("")
async def fetch(
    platform: ThePlatform, token: BearerToken, name: str, wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT)] = 0.0
) -> Json:
    """What is to be asked of this node's boxes; held back until there is something, or the time is over."""
    node_id = await run_in_threadpool(_authenticate, platform, token, name)
    topic = questions.topic_of_node(node_id)
    found = await wait_for(platform, topic, wait, lambda: _take(platform, token, name))
    return Json({"questions": found or []})


@router.post("/{number}")
async def answer(platform: ThePlatform, token: BearerToken, name: str, number: int, request: Request) -> Json:
    """What a box answered, or why it did not. Too late is harmless."""
    await run_in_threadpool(_authenticate, platform, token, name)
    body = await read_small(request, questions.MAX_ANSWER + 1024)
    await run_in_threadpool(_answer, platform, token, name, number, body)
    return Json({})


def _authenticate(platform: Platform, token: str, name: str) -> int:
    with platform.database.read() as tx:
        return accounts.authenticate_node(tx, name, token, platform.now()).id


def _take(platform: Platform, token: str, name: str) -> list[dict[str, Any]]:
    with platform.database.read() as tx:
        node = accounts.authenticate_node(tx, name, token, platform.now())
        if not questions.has_waiting(tx, node):
            return []
    with platform.database.write() as tx:
        return questions.take(platform, tx, accounts.authenticate_node(tx, name, token, platform.now()))


def _answer(platform: Platform, token: str, name: str, number: int, body: bytes) -> None:
    try:
        said = orjson.loads(body)
    except ValueError:
        raise Invalid("This answer is not JSON.", hint=SAME_VERSION) from None
    if not isinstance(said, dict):
        raise Invalid("This answer is no object.", hint=SAME_VERSION)
    with platform.database.write() as tx:
        node = accounts.authenticate_node(tx, name, token, platform.now())
        questions.answer(platform, tx, node, number, said)
