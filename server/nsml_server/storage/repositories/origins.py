"""Where sessions came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select

from nsml_server.storage.database import ReadTransaction
from nsml_server.storage.tables import Origin, Session, User


class Named(NamedTuple):
    """An origin as people know it: its user, dataset and number, and the checkpoint that was taken."""

    user: str
    dataset: str
    number: int
    checkpoint: str | None


def of_session(tx: ReadTransaction, session_id: int) -> Origin | None:
    """The origin of one session; None when it began from nothing."""
    return tx.get(Origin, session_id)


def named(tx: ReadTransaction, session_ids: Sequence[int]) -> dict[int, Named]:
    """The origins of those of these sessions that have one."""
    columns = (Origin.session_id, User.name, Session.dataset, Session.number, Origin.checkpoint)
    found = select(*columns).join(Session, Session.id == Origin.origin_id).join(User, User.id == Session.user_id)
    rows = tx.execute(found.where(Origin.session_id.in_(session_ids)))
    return {session_id: Named(user, dataset, number, name) for session_id, user, dataset, number, name in rows}


def has_living(tx: ReadTransaction, session_id: int) -> bool:
    """Whether the session that this one began from was not removed."""
    begun = select(Session.id).join(Origin, Origin.origin_id == Session.id).where(Origin.session_id == session_id)
    return tx.scalars(begun.where(Session.deleted_at.is_(None))).one_or_none() is not None
