"""What can be read back: a session's code, checkpoints, state in docker's words and command; a dataset's files, by its owner."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from nsml_server.api.answers import Json
from nsml_server.api.callers import TheCaller, ThePlatform
from nsml_server.api.sessions import ONE, Pattern, TheSession
from nsml_server.services import contents, datasets, files, inspection, products, views
from nsml_server.services.platform import Platform
from nsml_worker.contract import FileEntry

router = APIRouter(tags=["sessions"])


@router.get(f"{ONE}/inspect")
def inspect(platform: ThePlatform, named: TheSession) -> Json:
    """The state as docker would show it."""
    with platform.database.read() as tx:
        return Json(inspection.inspect(tx, named.find(tx)))


@router.get(f"{ONE}/command")
def show_command(platform: ThePlatform, named: TheSession) -> Json:
    """What to type to start the same again."""
    with platform.database.read() as tx:
        return Json({"command": inspection.command(tx, named.find(tx))})


@router.get(f"{ONE}/code")
def list_code(platform: ThePlatform, named: TheSession) -> Json:
    """The uploaded files."""
    with platform.database.read() as tx:
        return Json(views.tree(contents.code_of(tx, named.find(tx))))


@router.get(f"{ONE}/code/{{path:path}}", response_class=Response)
def read_code(platform: ThePlatform, named: TheSession, path: str) -> StreamingResponse:
    """One uploaded file."""
    with platform.database.read() as tx:
        entry = contents.find_file(contents.code_of(tx, named.find(tx)), path)
    return _send(platform, entry)


@router.get(f"{ONE}/files")
def list_files(platform: ThePlatform, named: TheSession) -> Json:
    """What the program wrote besides checkpoints, known once it has ended; `left_out` says what was not kept, and why."""
    with platform.database.read() as tx:
        kept, left_out = products.of_session(tx, named.find(tx))
    return Json({"files": [[entry.path, entry.size] for entry in kept.files], "left_out": left_out})


@router.get(f"{ONE}/files/{{path:path}}", response_class=Response)
def read_file(platform: ThePlatform, named: TheSession, path: str) -> StreamingResponse:
    """One of these files, unless the dataset's organiser forbids taking models home: a model could be among them."""
    with platform.database.read() as tx:
        session = named.find(tx)
        contents.require_pullable(tx, session)
        entry = contents.find_file(products.of_session(tx, session)[0], path)
    return _send(platform, entry)


@router.delete(f"{ONE}/checkpoints")
def remove_checkpoints(platform: ThePlatform, named: TheSession, name: Pattern) -> Json:
    """Forget the checkpoints that a name with wildcards means."""
    with platform.database.write() as tx:
        removed = contents.remove_checkpoints(platform, tx, named.find(tx), name)
    return Json({"removed": removed})


@router.get(f"{ONE}/checkpoints/{{name}}/tree")
def list_checkpoint(platform: ThePlatform, named: TheSession, name: str) -> Json:
    """The files of a checkpoint."""
    with platform.database.read() as tx:
        return Json(views.tree(contents.checkpoint_of(tx, named.find(tx), name)))


@router.get(f"{ONE}/checkpoints/{{name}}/{{path:path}}", response_class=Response)
def read_checkpoint(platform: ThePlatform, named: TheSession, name: str, path: str) -> StreamingResponse:
    """One file of a checkpoint, unless the dataset's organiser forbids taking models home."""
    with platform.database.read() as tx:
        session = named.find(tx)
        contents.require_pullable(tx, session)
        entry = contents.find_file(contents.checkpoint_of(tx, session, name), path)
    return _send(platform, entry)


@router.get("/datasets/{name}/tree")
def list_dataset(platform: ThePlatform, caller: TheCaller, name: str) -> Json:
    """The files of a dataset of your own."""
    with platform.database.read() as tx:
        return Json(views.tree(datasets.files_of(tx, caller, name)))


@router.get("/datasets/{name}/files/{path:path}", response_class=Response)
def read_dataset(platform: ThePlatform, caller: TheCaller, name: str, path: str) -> StreamingResponse:
    """One file of a dataset of your own."""
    with platform.database.read() as tx:
        entry = contents.find_file(datasets.files_of(tx, caller, name), path)
    return _send(platform, entry)


def _send(platform: Platform, entry: FileEntry) -> StreamingResponse:
    """As bytes to keep, whatever they are: a browser shows none of it."""
    file_name = quote(entry.path.rsplit("/", 1)[-1], safe="")
    headers = {
        "Content-Length": str(entry.size),
        "Content-Disposition": f"attachment; filename*=UTF-8''{file_name}",
        "X-Content-Type-Options": "nosniff",
        "ETag": f'"{entry.hash}"',
    }
    return StreamingResponse(
        files.read_chunks(platform, entry.hash), media_type="application/octet-stream", headers=headers
    )
