"""The image table."""

from __future__ import annotations

from fastapi import APIRouter, Response

from nsml_server.api.answers import Json
from nsml_server.api.callers import TheAdmin, TheCaller, ThePlatform
from nsml_server.api.schemas import NewImage
from nsml_server.domain.images import Entry
from nsml_server.services import images

router = APIRouter(tags=["images"])


@router.get("/images")
def list_images(platform: ThePlatform, _: TheCaller) -> Json:
    """What names of images mean here: operators' entries, then those that come with the platform."""
    with platform.database.read() as tx:
        return Json({"images": [_view(entry) for entry in images.table(tx)]})


@router.put("/images/{name:path}")
def put_image(platform: ThePlatform, _: TheAdmin, name: str, asked: NewImage) -> Json:
    """Say what a name, or a pattern with * and ?, means. Administrators only."""
    with platform.database.write() as tx:
        answer = _view(images.put(platform, tx, name, asked.target, asked.note))
    return Json(answer)


@router.delete("/images/{name:path}", status_code=204)
def remove_image(platform: ThePlatform, _: TheAdmin, name: str) -> Response:
    """Take an entry away. Administrators only."""
    with platform.database.write() as tx:
        images.remove(tx, name)
    return Response(status_code=204)


def _view(entry: Entry) -> dict[str, object]:
    return {"name": entry.name, "target": entry.target, "note": entry.note, "shipped": entry.shipped}
