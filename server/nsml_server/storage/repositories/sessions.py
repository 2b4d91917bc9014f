"""Sessions, and the numbers they are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.orm import aliased, contains_eager, joinedload

from nsml_server.domain.states import RunState
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.tables import Checkpoint, Counter, Dataset, DatasetVersion, Origin, Run, Session
from nsml_server.storage.upserts import insert_missing

FINAL = [state for state in RunState if state.is_final]
UNDER_WAY = [state for state in RunState if not state.is_final]


@dataclass(frozen=True)
class Saved:
    """How many checkpoints a session has, and their bytes."""

    count: int = 0
    size: int = 0


def next_number(tx: WriteTransaction, user_id: int, dataset: str) -> int:
    """1, 2, 3 …: without gaps, since the number and the session land in one transaction or not at all."""
    insert_missing(tx, Counter, [{"user_id": user_id, "dataset": dataset, "value": 0}])
    counted = update(Counter).where(Counter.user_id == user_id, Counter.dataset == dataset)
    return tx.execute(counted.values(value=Counter.value + 1).returning(Counter.value)).scalar_one()


def named(tx: ReadTransaction, user_id: int, dataset: str, number: int) -> Session | None:
    """One session by its name."""
    found = _whole().where(Session.user_id == user_id, Session.dataset == dataset, Session.number == number)
    return tx.scalar(found)


def begun_from(tx: ReadTransaction, origin_id: int) -> Sequence[Session]:
    """The sessions that began from this one, newest first."""
    begun = _whole().join(Origin, Origin.session_id == Session.id).where(Origin.origin_id == origin_id)
    return tx.scalars(begun.order_by(Session.id.desc())).all()


def numbered(tx: ReadTransaction, user_id: int, number: int) -> Sequence[Session]:
    """All sessions of a user with this number, whatever their dataset."""
    found = _whole().where(Session.user_id == user_id, Session.number == number)
    return tx.scalars(found.order_by(Session.dataset)).all()


def of_id(tx: ReadTransaction, session_id: int) -> Session | None:
    """One session, also a deleted one."""
    return tx.scalar(_whole(deleted=True).where(Session.id == session_id))


def of_user(
    tx: ReadTransaction,
    user_id: int,
    *,
    ended_after: float | None,
    dataset: str | None,
    search: str | None,
    last: int,
) -> Sequence[Session]:
    """A user's sessions, newest first; with `ended_after`, those of which something goes on, a submit too, or that ended later."""
    found = _whole().where(Session.user_id == user_id)
    if ended_after is not None:
        any_run = aliased(Run)
        going = select(any_run.session_id).where(any_run.user_id == user_id, any_run.state.in_(UNDER_WAY))
        found = found.where(or_(Session.id.in_(going), Run.ended_at >= ended_after))
    if dataset is not None:
        found = found.where(Session.dataset == dataset)
    if search:
        found = found.where(
            or_(
                Session.memo.contains(search, autoescape=True),
                Session.args.contains(search, autoescape=True),
                Session.dataset.contains(search, autoescape=True),
            )
        )
    return tx.scalars(found.order_by(Session.id.desc()).limit(last)).all()


def recent(tx: ReadTransaction, after: float, last: int) -> Sequence[Session]:
    """The newest sessions of everybody, without those whose dataset is gone; of those with the same code and image, one."""
    newest = select(func.max(Session.id)).where(Session.created_at >= after).group_by(Session.code, Session.image)
    gone = select(DatasetVersion.id).join(DatasetVersion.dataset).where(Dataset.deleted_at.is_not(None))
    found = select(Session).where(Session.id.in_(newest), func.coalesce(Session.version_id, 0).not_in(gone))
    return tx.scalars(found.order_by(Session.id.desc()).limit(last)).all()


def saved_by(tx: ReadTransaction, session_ids: Sequence[int]) -> dict[int, Saved]:
    """Checkpoints counted for each of these sessions that has any."""
    columns = (Checkpoint.session_id, func.count(), func.sum(Checkpoint.size))
    counted = select(*columns).where(Checkpoint.session_id.in_(session_ids)).group_by(Checkpoint.session_id)
    return {session: Saved(count, int(size)) for session, count, size in tx.execute(counted)}


def _whole(*, deleted: bool = False) -> Select[Session]:
    """Sessions with what their views need: the user, and the run with its node."""
    found = select(Session).join(Session.run)
    found = found.options(joinedload(Session.user), contains_eager(Session.run).joinedload(Run.node))
    return found if deleted else found.where(Session.deleted_at.is_(None))
