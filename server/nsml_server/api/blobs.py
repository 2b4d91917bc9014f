"""Bytes people send ahead of what refers to them."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from nsml_server.api.answers import Json
from nsml_server.api.bodies import pour, read_small
from nsml_server.api.callers import TheCaller, ThePlatform
from nsml_server.api.schemas import Hashes
from nsml_server.domain.names import check_hash
from nsml_server.services import files
from nsml_server.storage.packs import MAX_BODY

router = APIRouter(tags=["bytes"])


@router.post("/blobs/missing")
def list_missing(platform: ThePlatform, caller: TheCaller, asked: Hashes) -> Json:
    """Those of the hashes whose bytes you have not sent yet, whoever else may have."""
    with platform.database.read() as tx:
        return Json({"missing": files.missing(tx, files.holder_of_user(caller.id), asked.hashes)})


@router.put("/blobs/{name}", status_code=201)
async def put_blob(platform: ThePlatform, caller: TheCaller, name: str, request: Request) -> Json:
    """Send one file under its BLAKE3 hash; the hash is checked."""
    limit = platform.settings.dataset_file_bytes
    receiver = await run_in_threadpool(lambda: platform.blobs.receive(check_hash(name), max_bytes=limit))
    size = await pour(request, receiver)
    await run_in_threadpool(files.remember, platform, files.holder_of_user(caller.id), [name])
    return Json({"hash": name, "size": size}, 201)


@router.post("/packs", status_code=201)
async def put_pack(platform: ThePlatform, caller: TheCaller, request: Request) -> Json:
    """Send many small files at once; each hash is checked."""
    pack = await read_small(request, MAX_BODY)
    stored = await run_in_threadpool(files.take_pack, platform, files.holder_of_user(caller.id), pack)
    return Json({"stored": len(stored)}, 201)
