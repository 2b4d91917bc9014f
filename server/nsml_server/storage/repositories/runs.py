"""Runs and their attempts. Whoever moves a run locks it first, then reads it: what it reads stays true until its commit.

The order is one for all, or two would wait for each other: a node, then runs by their ids, then their submits, a board and an
account.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, update
from sqlalchemy.orm import joinedload

from nsml_server.domain.states import RunState
from nsml_server.errors import Conflict
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.tables import Attempt, Dataset, DatasetVersion, Outgoing, Run
from nsml_worker.contract import RunKind

UNDER_WAY = [state for state in RunState if not state.is_final]
ON_A_NODE = [state for state in UNDER_WAY if state is not RunState.QUEUED]


class Outstanding(NamedTuple):
    """Whether there is anything to take back, to place, to send."""

    overdue: bool
    queued: bool
    outgoing: bool


class Queued(NamedTuple):
    """A run that waits, with what decides about its place: thousands may. The fields are columns, `dataset` is the name."""

    id: int
    user_id: int
    kind: RunKind
    cpus: int
    gpus: int
    memory: int | None
    queued_at: float
    environment: str | None
    gpu_model: str | None
    gpu_driver: str | None
    pinned: str | None
    runtime: str | None
    runner: str | None
    submission_id: int | None
    kept_since: float | None
    dataset: str | None


class Holding(NamedTuple):
    """What a run occupies. The fields are columns."""

    node_id: int | None
    user_id: int
    kind: RunKind
    state: RunState
    cpus: int
    devices: list[str]
    memory: int | None
    deadline: float | None


def of_id(tx: ReadTransaction, run_id: int) -> Run | None:
    """One run with its node and dataset."""
    return tx.scalar(_whole().where(Run.id == run_id))


def of_submission(tx: ReadTransaction, submission_id: int) -> dict[RunKind, Run]:
    """The one or two runs of a submit."""
    return of_submissions(tx, [submission_id]).get(submission_id, {})


def of_submissions(tx: ReadTransaction, submission_ids: Collection[int]) -> dict[int, dict[RunKind, Run]]:
    """The one or two runs of each of these submits."""
    found: dict[int, dict[RunKind, Run]] = defaultdict(dict)
    for run in tx.scalars(_whole().where(Run.submission_id.in_(submission_ids))):
        if run.submission_id is not None:
            found[run.submission_id][run.kind] = run
    return found


def queued(tx: ReadTransaction) -> list[Queued]:
    """What waits for a place, in no order."""
    columns = [getattr(Run, name) for name in Queued._fields if name != "dataset"]
    found = select(*columns, Dataset.name).outerjoin(DatasetVersion, DatasetVersion.id == Run.version_id)
    found = found.outerjoin(Dataset, Dataset.id == DatasetVersion.dataset_id)
    return [Queued._make(row) for row in tx.execute(found.where(Run.state == RunState.QUEUED))]


def holdings(tx: ReadTransaction, node_ids: Collection[int]) -> list[Holding]:
    """What occupies these nodes now, as placement needs it."""
    columns = [getattr(Run, name) for name in Holding._fields]
    found = select(*columns).where(Run.state.in_(ON_A_NODE), Run.node_id.in_(node_ids))
    return [Holding._make(row) for row in tx.execute(found)]


def on_nodes(tx: ReadTransaction) -> Sequence[Run]:
    """What occupies a node now."""
    return tx.scalars(_whole().where(Run.state.in_(ON_A_NODE))).all()


def on_node(tx: ReadTransaction, node_id: int) -> Sequence[Run]:
    """What occupies this node now."""
    return tx.scalars(_whole().where(Run.state.in_(ON_A_NODE), Run.node_id == node_id)).all()


def lock(tx: WriteTransaction, run_ids: Collection[int]) -> Sequence[Run]:
    """These runs, as they are now and stay until our commit unless we move them."""
    return _lock(tx, Run.id.in_(run_ids))


def lock_queued(tx: WriteTransaction, run_ids: Collection[int]) -> Sequence[Run]:
    """Those of these runs that still wait for a place, locked; what somebody is moving at this moment is left out."""
    return _lock(tx, and_(Run.state == RunState.QUEUED, Run.id.in_(run_ids)), skip_locked=True)


def lock_on_node(tx: WriteTransaction, node_id: int) -> Sequence[Run]:
    """What occupies this node, locked."""
    return _lock(tx, and_(Run.state.in_(ON_A_NODE), Run.node_id == node_id))


def lock_of_sessions(tx: WriteTransaction, session_ids: Collection[int]) -> None:
    """Lock what goes on of these sessions, their submits too."""
    _lock(tx, and_(Run.session_id.in_(session_ids), Run.state.in_(UNDER_WAY)))


def lock_of_submission(tx: WriteTransaction, submission_id: int) -> None:
    """Lock the one or two runs of a submit. In turn: the second may just be made by the end of the first."""
    for kind in (RunKind.PREDICT, RunKind.SCORE):
        _lock(tx, and_(Run.submission_id == submission_id, Run.kind == kind))


def outstanding(tx: ReadTransaction, now: float) -> Outstanding:
    """What a dispatcher has to do, in one small query: it is asked every second."""
    late = exists().where(Run.state.in_(ON_A_NODE), _is_late(now))
    waiting = exists().where(Run.state == RunState.QUEUED)
    outgoing = exists().where(Outgoing.id.is_not(None))
    return Outstanding(*tx.execute(select(late, waiting, outgoing)).one())


def lock_overdue(tx: WriteTransaction, now: float) -> Sequence[Run]:
    """What has outlived its lease or its deadline, locked; what somebody is moving at this moment is left to them."""
    return _lock(tx, and_(Run.state.in_(ON_A_NODE), _is_late(now)), skip_locked=True)


def count_by_state(tx: ReadTransaction) -> dict[RunState, int]:
    """How many runs are in each state that is not final."""
    counted = select(Run.state, func.count()).where(Run.state.in_(UNDER_WAY)).group_by(Run.state)
    return dict(tx.execute(counted).tuples().all())


def recent_use(tx: ReadTransaction, since: float, now: float) -> dict[int, float]:
    """Seconds that runs of each user have held devices or a box since a moment: times its GPUs, at least one."""
    begin = func.max(Run.started_at, since) if _is_sqlite(tx) else func.greatest(Run.started_at, since)
    seconds = func.coalesce(Run.ended_at, now) - begin
    devices = func.max(Run.gpus, 1) if _is_sqlite(tx) else func.greatest(Run.gpus, 1)
    used = select(Run.user_id, seconds * devices).where(Run.started_at.is_not(None))
    found: dict[int, float] = defaultdict(float)
    # Each has its index, which the database leaves for that of the users when it is to sum them up: history only grows.
    for recent in (Run.state.in_(ON_A_NODE), Run.ended_at > since):
        for user, total in tx.execute(used.where(recent)):
            found[user] += max(0.0, float(total))
    return found


def recent_datasets(tx: ReadTransaction, since: float) -> dict[int, frozenset[str]]:
    """The datasets that each node has fetched for a run since a moment, by the node's id."""
    found: dict[int, set[str]] = defaultdict(set)
    seen = select(Run.node_id, Dataset.name).join(DatasetVersion, DatasetVersion.id == Run.version_id)
    seen = seen.join(Dataset, Dataset.id == DatasetVersion.dataset_id).where(Run.started_at >= since).distinct()
    for node_id, name in tx.execute(seen):
        if node_id is not None:
            found[node_id].add(name)
    return {node_id: frozenset(names) for node_id, names in found.items()}


def change(tx: WriteTransaction, run: Run, values: Mapping[str, Any]) -> None:
    """Change a run that was locked and read.

    Raises:
        Conflict: somebody moved it meanwhile, so it was not locked.
    """
    was = (Run.id == run.id, Run.state == run.state, Run.attempt == run.attempt)
    guarded = update(Run).where(*was).values(**values).returning(Run.id)
    if tx.execute(guarded, execution_options={"synchronize_session": False}).scalar() is None:
        raise Conflict(f"Run {run.id} has moved on meanwhile.", hint="Look at it again.")
    tx.refresh(run, list(values))


def renew(tx: WriteTransaction, run_ids: Sequence[int], until: float) -> None:
    """Let a worker keep these runs until then. What somebody is moving at this moment is passed over: a sign of life must not
    wait, and a lease outlasts several of them.
    """
    kept = and_(Run.id.in_(run_ids), Run.state.in_(ON_A_NODE))
    for run in _lock(tx, kept, skip_locked=True) if run_ids else ():
        run.lease_until = until
    tx.flush()


def renew_all(tx: WriteTransaction, until: float) -> None:
    """Let every worker keep what it has, and tell how it ended, at least until then: while we were away nobody could."""
    for run in _lock(tx, and_(Run.state.in_(ON_A_NODE), _is_late(until))):
        run.lease_until = max(until, run.lease_until or until)
        run.deadline = None if run.deadline is None else max(until, run.deadline)
    tx.flush()


def attempt_of(tx: ReadTransaction, run: Run) -> Attempt | None:
    """The current attempt of a run."""
    return tx.get(Attempt, (run.id, run.attempt))


def attempt_with(tx: ReadTransaction, run_id: int, token: str) -> Attempt | None:
    """The attempt of a run that has the token with this sha256."""
    return tx.scalar(select(Attempt).where(Attempt.token == token, Attempt.run_id == run_id))


def is_over(tx: ReadTransaction, run_id: int, number: int, ended_before: float) -> bool:
    """Whether an attempt ended before then, or never was."""
    attempt = tx.get(Attempt, (run_id, number))
    return attempt is None or (attempt.ended_at is not None and attempt.ended_at <= ended_before)


def close_attempt(tx: WriteTransaction, run: Run, values: Mapping[str, Any]) -> None:
    """Write down how the current attempt went; with `ended_at` its token opens nothing more."""
    tx.execute(update(Attempt).where(Attempt.run_id == run.id, Attempt.number == run.attempt).values(**values))


def _lock(tx: WriteTransaction, which: ColumnElement[bool], *, skip_locked: bool = False) -> Sequence[Run]:
    """On SQLite whoever writes is alone, and has locked everything. Read in a second step: with rows of other tables beside
    it, a row that had to be waited for would come back with theirs of before.
    """
    taken = select(Run.id).where(which).order_by(Run.id).with_for_update(key_share=True, skip_locked=skip_locked)
    found = _whole().where(Run.id.in_(tx.scalars(taken).all())).order_by(Run.id)
    return tx.scalars(found, execution_options={"populate_existing": True}).all()


def _whole() -> Select[Run]:
    dataset = joinedload(Run.version).joinedload(DatasetVersion.dataset)
    return select(Run).options(joinedload(Run.node), dataset)


def _is_late(now: float) -> ColumnElement[bool]:
    return or_(Run.lease_until < now, Run.deadline < now)


def _is_sqlite(tx: ReadTransaction) -> bool:
    return tx.get_bind().dialect.name == "sqlite"
