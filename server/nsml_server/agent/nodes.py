"""What a node says and asks."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter
from pydantic import Field

from nsml_server.api.answers import Json
from nsml_server.api.callers import BearerToken, ThePlatform
from nsml_server.api.schemas import LARGEST, Body
from nsml_server.errors import Invalid
from nsml_server.services import accounts, leases, membership, nodes, warming
from nsml_worker.contract import Capacity, Use

router = APIRouter(tags=["nodes"])
MAX_BOXES = 10_000
MAX_DIGITS = 18  # of a run's id
Fact = TypeVar("Fact", Capacity, Use)
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


class Joining(Body):
    """A machine that wants to be a node of this name."""

    name: Annotated[str, Field(max_length=200)]


@router.post("/nodes", status_code=201)
def join(platform: ThePlatform, token: BearerToken, said: Joining) -> Json:
    """A machine with a join token becomes a node; its own token is told this once."""
    with platform.database.write() as tx:
        joined = membership.join(platform, tx, token, said.name)
    return Json({"node": joined.node, "token": joined.token, "broker_url": joined.broker_url}, 201)


@router.get("/nodes/{name}")
def show(platform: ThePlatform, token: BearerToken, name: str) -> Json:
    """Where the node's queue is, and whether its worker was heard of."""
    with platform.database.read() as tx:
        node = accounts.authenticate_node(tx, name, token, platform.now())
        alive = nodes.is_here(platform, node)
    return Json({"node": node.name, "alive": alive, "broker_url": platform.settings.worker_broker})


class Heartbeat(Boxes):
    """The same with what runs use, by run id, and what the node offers when that has changed."""

    use: Annotated[dict[str, dict[str, Any]], Field(default_factory=dict, max_length=MAX_BOXES)]
    capacity: dict[str, Any] | None = None


@router.post("/nodes/{name}/hello")
def hello(platform: ThePlatform, token: BearerToken, name: str, said: Hello) -> Json:
    """A worker has started."""
    with platform.database.write() as tx:
        node = accounts.authenticate_node(tx, name, token, platform.now())
        drop = leases.hello(platform, tx, node, _read(Capacity, said.capacity), said.pairs())
    return Json({"heartbeat": platform.settings.heartbeat, "drop": drop})


@router.post("/nodes/{name}/heartbeat")
def heartbeat(platform: ThePlatform, token: BearerToken, name: str, said: Heartbeat) -> Json:
    """A worker is alive and has these boxes."""
    use = {int(run): _read(Use, told) for run, told in said.use.items() if run.isdecimal() and len(run) <= MAX_DIGITS}
    capacity = None if said.capacity is None else _read(Capacity, said.capacity)
    with platform.database.write() as tx:
        node = accounts.authenticate_node(tx, name, token, platform.now())
        answer = leases.heartbeat(platform, tx, node, said.pairs(), use, capacity)
    return Json(answer)


@router.get("/nodes/{name}/wanted")
def wanted(platform: ThePlatform, token: BearerToken, name: str) -> Json:
    """What the node may make ready while nobody waits."""
    with platform.database.read() as tx:
        accounts.authenticate_node(tx, name, token, platform.now())
        found = warming.list_environments(platform, tx)
    return Json({"environments": [one.to_dict() for one in found]})


@router.post("/nodes/{name}/goodbye")
def goodbye(platform: ThePlatform, token: BearerToken, name: str) -> Json:
    """A worker leaves; its boxes go on."""
    with platform.database.write() as tx:
        leases.goodbye(platform, tx, accounts.authenticate_node(tx, name, token, platform.now()))
    return Json({})


def _read(kind: type[Fact], said: dict[str, Any]) -> Fact:
    try:
        return kind.from_dict(said)
    except (ValueError, KeyError) as error:
        raise Invalid(
            f"This {kind.__name__.lower()} cannot be read: {error}.", hint="Give worker and server the same version."
        ) from error
