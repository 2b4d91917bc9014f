"""What a node says and asks."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from nsml_server.api.answers import Json
from nsml_server.api.callers import BearerToken, ThePlatform
from nsml_server.api.schemas import LARGEST, Body
from nsml_server.errors import Invalid
from nsml_server.services import accounts, leases
from nsml_worker.contract import Capacity

router = APIRouter(tags=["nodes"])
MAX_BOXES = 10_000
Number = Annotated[int, Field(ge=0, le=LARGEST)]


class Boxes(Body):
    """Boxes a node has: [run id, attempt] of each."""

    boxes: Annotated[list[Annotated[list[Number], Field(min_length=2, max_length=2)]], Field(max_length=MAX_BOXES)]

    def pairs(self) -> list[leases.Box]:
        """As the services have them."""
        return [(box[0], box[1]) for box in self.boxes]


class Hello(Boxes):
    """What a node offers, and what it found on its disk."""

    capacity: dict[str, Any]


@router.post("/nodes/{name}/hello")
def hello(platform: ThePlatform, token: BearerToken, name: str, said: Hello) -> Json:
    """A worker has started."""
    with platform.database.write() as tx:
        node = accounts.authenticate_node(tx, name, token, platform.now())
        drop = leases.hello(platform, tx, node, _capacity(said.capacity), said.pairs())
    return Json({"heartbeat": platform.settings.heartbeat, "drop": drop})


@router.post("/nodes/{name}/heartbeat")
def heartbeat(platform: ThePlatform, token: BearerToken, name: str, said: Boxes) -> Json:
    """A worker is alive and has these boxes."""
    with platform.database.write() as tx:
        node = accounts.authenticate_node(tx, name, token, platform.now())
        answer = leases.heartbeat(platform, tx, node, said.pairs())
    return Json(answer)


@router.post("/nodes/{name}/goodbye")
def goodbye(platform: ThePlatform, token: BearerToken, name: str) -> Json:
    """A worker leaves; its boxes go on."""
    with platform.database.write() as tx:
        leases.goodbye(platform, tx, accounts.authenticate_node(tx, name, token, platform.now()))
    return Json({})


def _capacity(said: dict[str, Any]) -> Capacity:
    try:
        return Capacity.from_dict(said)
    except (ValueError, KeyError) as error:
        raise Invalid(
            f"This capacity cannot be read: {error}.", hint="Give worker and server the same version."
        ) from error
