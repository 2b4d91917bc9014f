"""Which session began where: the family of forks, resumed sessions and inferences."""

from __future__ import annotations

from nsml_server.services import views
from nsml_server.services.platform import Platform
from nsml_server.services.views import View
from nsml_server.storage.database import ReadTransaction
from nsml_server.storage.repositories import origins
from nsml_server.storage.repositories import sessions as session_rows
from nsml_server.storage.tables import Session


def family(platform: Platform, tx: ReadTransaction, session: Session, limit: int) -> View:
    """The sessions that began from this one and were not removed, newest first, at most `limit` of them; how many there are;
    and whether the session it began from itself can still be looked at.
    """
    begun = session_rows.begun_from(tx, session.id)
    return {
        "children": views.sessions(platform, tx, begun[:limit]),
        "child_count": len(begun),
        "has_living_origin": origins.has_living(tx, session.id),
    }
