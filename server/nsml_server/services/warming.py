"""What nodes had better have ready before anybody asks for it."""

from __future__ import annotations

from nsml_server.domain.images import DOCKER
from nsml_server.services import environments, images
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction
from nsml_server.storage.repositories import sessions
from nsml_worker.contract import Environment

RECENT = 7 * 24 * 3600.0  # seconds: what was used in this time is used again
MOST = 50  # environments, and sessions looked at for them


def list_environments(platform: Platform, tx: ReadTransaction) -> list[Environment]:
    """The likeliest first: the default, what sessions of open datasets ran in of late, what the image table names."""
    used = sessions.recent(tx, platform.now() - RECENT, MOST)
    wanted = [Environment(), *(environments.of_session(platform, tx, session) for session in used)]
    wanted += [
        Environment(reference=entry.target.removeprefix(f"{DOCKER}:"))
        for entry in images.table(tx)
        if entry.target.startswith(f"{DOCKER}:")
    ]
    useful = (one for one in wanted if not one.unavailable and one.interpreter is None)
    return list(dict.fromkeys(useful))[:MOST]
