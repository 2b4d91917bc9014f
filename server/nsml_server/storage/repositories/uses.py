"""Samples of what runs use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from nsml_server.domain.states import RunState
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.tables import Run, RunUse
from nsml_server.storage.upserts import upsert

ON_DEVICES = [RunState.RUNNING, RunState.PAUSED]


def of_runs(tx: ReadTransaction, run_ids: Sequence[int]) -> dict[int, RunUse]:
    """The last sample of each of these runs that has any."""
    found = select(RunUse).where(RunUse.run_id.in_(run_ids)).execution_options(populate_existing=True)
    return {row.run_id: row for row in tx.scalars(found)}


def of_running(tx: ReadTransaction) -> Sequence[RunUse]:
    """The samples of the attempts that run now."""
    found = select(RunUse).join(Run, Run.id == RunUse.run_id)
    return tx.scalars(found.where(Run.state.in_(ON_DEVICES), Run.attempt == RunUse.attempt)).all()


def keep(tx: WriteTransaction, run_id: int, values: Mapping[str, Any]) -> None:
    """Replace the sample of a run."""
    upsert(tx, RunUse, {"run_id": run_id}, dict(values))
