"""What one attempt of a run says and asks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from nsml_server.agent.schemas import Hashes, Told
from nsml_server.api.answers import Json
from nsml_server.api.bodies import pour, read_small
from nsml_server.api.callers import BearerToken, ThePlatform
from nsml_server.api.schemas import LARGEST
from nsml_server.domain.names import check_hash
from nsml_server.errors import Invalid
from nsml_server.services import attempts, events, files, loans
from nsml_server.services.platform import Platform
from nsml_server.storage.packs import MAX_BODY
from nsml_server.version import SAME_VERSION
from nsml_worker.contract import RunEvent

router = APIRouter(prefix="/runs/{run_id}", tags=["runs"])
BINARY = "application/octet-stream"


@router.post("/claim")
def claim(platform: ThePlatform, token: BearerToken, run_id: int) -> Json:
    """The RunSpec; asking again answers the same."""
    return Json(attempts.claim(platform, run_id, token).to_dict())


@router.get("/checkpoint")
def lend_checkpoint(
    platform: ThePlatform,
    token: BearerToken,
    run_id: int,
    name: Annotated[str, Query(max_length=1000)] = "",
    session: Annotated[str | None, Query(max_length=200)] = None,
) -> Json:
    """The files of a checkpoint of this or another session of the same user; the run may fetch them from now on."""
    return Json(loans.lend(platform, run_id, token, session, name).to_dict())


@router.get("/blobs/{name}", response_class=Response)
def get_blob(platform: ThePlatform, token: BearerToken, run_id: int, name: str) -> StreamingResponse:
    """The bytes of one file that the run mounts."""
    attempts.require_readable(platform, run_id, token, [check_hash(name)])
    headers = {"Content-Length": str(platform.blobs.size(name))}
    return StreamingResponse(files.read_chunks(platform, name), media_type=BINARY, headers=headers)


@router.post("/blobs/fetch", response_class=Response)
def fetch_pack(platform: ThePlatform, token: BearerToken, run_id: int, asked: Hashes) -> Response:
    """Several small files that the run mounts, as a pack."""
    attempts.require_readable(platform, run_id, token, asked.hashes)
    return Response(files.make_pack(platform, asked.hashes), media_type=BINARY)


@router.post("/blobs/missing")
def list_missing(platform: ThePlatform, token: BearerToken, run_id: int, asked: Hashes) -> Json:
    """Those of the hashes that still have to be sent."""
    holder = attempts.holder(platform, run_id, token)
    with platform.database.read() as tx:
        return Json({"missing": files.missing(tx, holder, asked.hashes)})


@router.put("/blobs/{name}", status_code=201)
async def put_blob(platform: ThePlatform, token: BearerToken, run_id: int, name: str, request: Request) -> Json:
    """Send one file the run has made."""
    holder = await run_in_threadpool(attempts.holder, platform, run_id, token)
    limit = platform.settings.dataset_file_bytes
    receiver = await run_in_threadpool(lambda: platform.blobs.receive(check_hash(name), max_bytes=limit))
    size = await pour(request, receiver)
    await run_in_threadpool(files.remember, platform, holder, [name])
    return Json({"hash": name, "size": size}, 201)


@router.post("/packs", status_code=201)
async def put_pack(platform: ThePlatform, token: BearerToken, run_id: int, request: Request) -> Json:
    """Send several small files the run has made."""
    holder = await run_in_threadpool(attempts.holder, platform, run_id, token)
    pack = await read_small(request, MAX_BODY)
    stored = await run_in_threadpool(files.take_pack, platform, holder, pack)
    return Json({"stored": len(stored)}, 201)


@router.post("/streams/{stream}")
async def append(
    platform: ThePlatform,
    token: BearerToken,
    run_id: int,
    stream: str,
    request: Request,
    offset: Annotated[int, Query(ge=0, le=LARGEST)],
) -> Json:
    """Add what the box has written; the same bytes at the same offset land once."""
    data = await read_small(request, attempts.MAX_APPEND)
    return Json({"size": await run_in_threadpool(_append, platform, run_id, token, stream, offset, data)})


@router.post("/events")
def tell(platform: ThePlatform, token: BearerToken, run_id: int, told: Told) -> Json:
    """Facts; the last one that has been applied."""
    try:
        facts = [RunEvent.from_dict(event) for event in told.events]
    except (ValueError, KeyError) as error:
        raise Invalid(f"These facts cannot be read: {error}.", hint=SAME_VERSION) from error
    return Json({"accepted": events.apply(platform, run_id, token, told.attempt, facts)})


def _append(platform: Platform, run_id: int, token: str, stream: str, offset: int, data: bytes) -> int:
    size = attempts.append(platform, run_id, token, stream, offset, data)
    if stream == attempts.EVENTS:
        events.fold_journal(platform, run_id)
    return size
