"""Runs and their attempts. A state is left only by `change`: UPDATE … WHERE state and attempt are what was read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, exists, func, or_, select, update
from sqlalchemy.orm import joinedload

from nsml_server.domain.states import RunState
from nsml_server.errors import AttemptOver
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


def of_id(tx: ReadTransaction, run_id: int) -> Run | None:
    """One run with its node and dataset."""
    return tx.scalar(_whole().where(Run.id == run_id))


def of_submission(tx: ReadTransaction, submission_id: int) -> dict[RunKind, Run]:
    """The one or two runs of a submit."""
    return {run.kind: run for run in tx.scalars(_whole().where(Run.submission_id == submission_id))}


def queued(tx: ReadTransaction) -> Sequence[Run]:
    """What waits for a place."""
    return tx.scalars(_whole().where(Run.state == RunState.QUEUED).order_by(Run.id)).all()


def on_nodes(tx: ReadTransaction) -> Sequence[Run]:
    """What occupies a node now."""
    return tx.scalars(_whole().where(Run.state.in_(ON_A_NODE))).all()


def on_node(tx: ReadTransaction, node_id: int) -> Sequence[Run]:
    """What occupies this node now."""
    return tx.scalars(_whole().where(Run.state.in_(ON_A_NODE), Run.node_id == node_id)).all()


def outstanding(tx: ReadTransaction, now: float) -> Outstanding:
    """What a dispatcher has to do, in one small query: it is asked every second."""
    late = exists().where(Run.state.in_(ON_A_NODE), _is_late(now))
    waiting = exists().where(Run.state == RunState.QUEUED)
    outgoing = exists().where(Outgoing.id.is_not(None))
    return Outstanding(*tx.execute(select(late, waiting, outgoing)).one())


def overdue(tx: ReadTransaction, now: float) -> Sequence[Run]:
    """What has outlived its lease or its deadline."""
    return tx.scalars(_whole().where(Run.state.in_(ON_A_NODE), _is_late(now))).all()


def count_by_state(tx: ReadTransaction) -> dict[RunState, int]:
    """How many runs are in each state that is not final."""
    counted = select(Run.state, func.count()).where(Run.state.in_(UNDER_WAY)).group_by(Run.state)
    return dict(tx.execute(counted).tuples().all())


def recent_use(tx: ReadTransaction, since: float, now: float) -> dict[int, float]:
    """Seconds that runs of each user have held devices or a box since a moment: times its GPUs, at least one."""
    begin = func.max(Run.started_at, since) if _is_sqlite(tx) else func.greatest(Run.started_at, since)
    seconds = func.coalesce(Run.ended_at, now) - begin
    devices = func.max(Run.gpus, 1) if _is_sqlite(tx) else func.greatest(Run.gpus, 1)
    recent = or_(Run.ended_at.is_(None), Run.ended_at > since)
    used = select(Run.user_id, func.sum(seconds * devices)).where(Run.started_at.is_not(None), recent)
    return {user: max(0.0, float(total)) for user, total in tx.execute(used.group_by(Run.user_id))}


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
    """Change a run that still is in the state and attempt that were read.

    Raises:
        AttemptOver: somebody moved it meanwhile.
    """
    was = (Run.id == run.id, Run.state == run.state, Run.attempt == run.attempt)
    guarded = update(Run).where(*was).values(**values).returning(Run.id)
    if tx.execute(guarded, execution_options={"synchronize_session": False}).scalar() is None:
        raise AttemptOver(f"Run {run.id} has moved on: attempt {run.attempt} is no longer {run.state}.")
    tx.refresh(run, list(values))


def tell_why_they_wait(tx: WriteTransaction, waits: Sequence[Mapping[str, Any]]) -> None:
    """Store {"id", "wait_text", "wait_position"} of many runs at once."""
    if waits:
        tx.execute(update(Run), list(waits))


def renew(tx: WriteTransaction, run_ids: Sequence[int], until: float) -> None:
    """Let a worker keep these runs until then."""
    if run_ids:
        tx.execute(update(Run).where(Run.id.in_(run_ids)).values(lease_until=until))


def renew_all(tx: WriteTransaction, until: float) -> None:
    """Let every worker keep what it has at least until then: while we were away nobody could renew."""
    tx.execute(update(Run).where(Run.state.in_(ON_A_NODE), Run.lease_until < until).values(lease_until=until))


def attempt_of(tx: ReadTransaction, run: Run) -> Attempt | None:
    """The current attempt of a run."""
    return tx.get(Attempt, (run.id, run.attempt))


def attempt_with(tx: ReadTransaction, run_id: int, token: str, *, to_change: bool = False) -> Attempt | None:
    """The attempt of a run that has the token with this sha256; locked where the database locks rows, if asked."""
    found = select(Attempt).where(Attempt.token == token, Attempt.run_id == run_id)
    return tx.scalar(found.with_for_update() if to_change else found)


def is_over(tx: ReadTransaction, run_id: int, number: int, ended_before: float) -> bool:
    """Whether an attempt ended before then, or never was."""
    attempt = tx.get(Attempt, (run_id, number))
    return attempt is None or (attempt.ended_at is not None and attempt.ended_at <= ended_before)


def close_attempt(tx: WriteTransaction, run: Run, values: Mapping[str, Any]) -> None:
    """Write down how the current attempt went; with `ended_at` its token opens nothing more."""
    tx.execute(update(Attempt).where(Attempt.run_id == run.id, Attempt.number == run.attempt).values(**values))


def _whole() -> Select[Run]:
    dataset = joinedload(Run.version).joinedload(DatasetVersion.dataset)
    return select(Run).options(joinedload(Run.node), dataset)


def _is_late(now: float) -> ColumnElement[bool]:
    return or_(Run.lease_until < now, Run.deadline < now)


def _is_sqlite(tx: ReadTransaction) -> bool:
    return tx.get_bind().dialect.name == "sqlite"
