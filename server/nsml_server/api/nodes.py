"""The machines that run boxes."""

from __future__ import annotations

from fastapi import APIRouter, Response

from nsml_server.api.answers import Json
from nsml_server.api.callers import TheAdmin, TheCaller, ThePlatform
from nsml_server.api.schemas import NewJoinToken, NewNode, NodeChange
from nsml_server.services import accounts, machine_views, membership

router = APIRouter(tags=["nodes"])


@router.get("/nodes")
def list_nodes(platform: ThePlatform, _: TheCaller) -> Json:
    """The machines, what they have, and how much of it is taken."""
    with platform.database.read() as tx:
        return Json({"nodes": machine_views.machines(platform, tx)})


@router.post("/nodes", status_code=201)
def add_node(platform: ThePlatform, _: TheAdmin, asked: NewNode) -> Json:
    """Add a machine, or give one a new token; the token is shown this once. Administrators only."""
    with platform.database.write() as tx:
        node, token = accounts.create_node(tx, asked.name, platform.now())
        answer = {"node": node.name, "token": token}
    return Json(answer, 201)


@router.post("/join-tokens", status_code=201)
def make_join_token(platform: ThePlatform, _: TheAdmin, asked: NewJoinToken) -> Json:
    """A token with which one machine adds itself, once and within a day. Administrators only."""
    with platform.database.write() as tx:
        token = membership.make_join_token(tx, asked.name, platform.now())
    return Json({"node": asked.name, "token": token, "expires_in": int(membership.JOIN)}, 201)


@router.patch("/nodes/{name}")
def change_node(platform: ThePlatform, _: TheAdmin, name: str, asked: NodeChange) -> Json:
    """Drain a machine, or let it take runs again. Administrators only."""
    with platform.database.write() as tx:
        node = membership.set_drained(platform, tx, name, asked.drained)
        answer = {"name": node.name, "drained": node.drained}
    return Json(answer)


@router.delete("/nodes/{name}", status_code=204)
def remove_node(platform: ThePlatform, _: TheAdmin, name: str, force: bool = False) -> Response:
    """Take a machine away. Administrators only."""
    with platform.database.write() as tx:
        membership.remove(platform, tx, name, force=force)
    return Response(status_code=204)
