"""Files of a session, one at a time: its code is shown as plain text, what its program wrote is handed over to be kept."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from nsml_server.services import contents, files, products, sessions
from nsml_server.services.platform import Platform
from nsml_server.web.addresses import SESSION, Named
from nsml_server.web.routing import PageRoute
from nsml_server.web.visit import LoggedIn
from nsml_worker.contract import FileEntry

router = APIRouter(route_class=PageRoute, include_in_schema=False)
# A browser runs nothing of it, and guesses at nothing.
HARMLESS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}


@router.get(f"{SESSION}/code/{{path:path}}")
def show_code(visit: LoggedIn, name: Named, path: str) -> StreamingResponse:
    """One uploaded file as plain text, whatever it is."""
    with visit.platform.database.read() as tx:
        entry = contents.find_file(contents.code_of(tx, sessions.find(tx, visit.login, *name, None)), path)
    return _send(visit.platform, entry, "text/plain; charset=utf-8", "inline")


@router.get(f"{SESSION}/files/{{path:path}}")
def hand_over_product(visit: LoggedIn, name: Named, path: str) -> StreamingResponse:
    """One file that the program wrote, to be kept, unless the organiser forbids taking models home."""
    with visit.platform.database.read() as tx:
        session = sessions.find(tx, visit.login, *name, None)
        contents.require_pullable(tx, session)
        entry = contents.find_file(products.of_session(tx, session)[0], path)
    return _send(visit.platform, entry, "application/octet-stream", "attachment")


@router.get(f"{SESSION}/checkpoints/{{checkpoint}}/{{path:path}}")
def hand_over_checkpoint(visit: LoggedIn, name: Named, checkpoint: str, path: str) -> StreamingResponse:
    """One file of a checkpoint, to be kept, unless the organiser forbids taking models home."""
    with visit.platform.database.read() as tx:
        session = sessions.find(tx, visit.login, *name, None)
        contents.require_pullable(tx, session)
        entry = contents.find_file(contents.checkpoint_of(tx, session, checkpoint), path)
    return _send(visit.platform, entry, "application/octet-stream", "attachment")


def _send(platform: Platform, entry: FileEntry, media_type: str, disposition: str) -> StreamingResponse:
    file_name = quote(entry.path.rsplit("/", 1)[-1], safe="")
    headers = {
        **HARMLESS,
        "Content-Length": str(entry.size),
        "Content-Disposition": f"{disposition}; filename*=UTF-8''{file_name}",
    }
    return StreamingResponse(files.read_chunks(platform, entry.hash), media_type=media_type, headers=headers)
