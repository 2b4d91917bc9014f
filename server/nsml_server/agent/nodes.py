"""What a node says and asks."""

from __future__ import annotations

from typing import Any, TypeVar

from fastapi import APIRouter

from nsml_server.agent.schemas import Heartbeat, Hello, Joining
from nsml_server.api.answers import Json
from nsml_server.api.callers import BearerToken, ThePlatform
from nsml_server.domain import versions
from nsml_server.errors import Invalid
from nsml_server.services import accounts, leases, membership, nodes, warming
from nsml_server.version import SAME_VERSION, VERSION
from nsml_worker.contract import Capacity, Use

router = APIRouter(tags=["nodes"])
MAX_DIGITS = 18  # of a run's id
Fact = TypeVar("Fact", Capacity, Use)


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


@router.post("/nodes/{name}/hello")
def hello(platform: ThePlatform, token: BearerToken, name: str, said: Hello) -> Json:
    """A worker has started."""
    with platform.database.write() as tx:
        node = accounts.authenticate_node(tx, name, token, platform.now())
        capacity = _read(Capacity, said.capacity)
        drop = leases.hello(platform, tx, node, capacity, said.pairs())
    advice = versions.advise(capacity.version, VERSION)
    return Json({"heartbeat": platform.settings.heartbeat, "drop": drop, "version": VERSION, "advice": advice})


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
        raise Invalid(f"This {kind.__name__.lower()} cannot be read: {error}.", hint=SAME_VERSION) from error
