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


def of_sessions(tx: ReadTransaction) -> list[tuple[Run, RunUse]]:
    """The sessions that run on GPUs now and are not asked to stop, with the samples of their attempts."""
    found = select(Run, RunUse).join(RunUse, (RunUse.run_id == Run.id) & (RunUse.attempt == Run.attempt))
    found = found.where(Run.state.in_(ON_DEVICES), Run.gpus > 0, Run.submission_id.is_(None))
    return [(run, use) for run, use in tx.execute(found.order_by(Run.id))]


def keep(tx: WriteTransaction, run_id: int, values: Mapping[str, Any]) -> None:
    """Replace the sample of a run."""
    upsert(tx, RunUse, {"run_id": run_id}, dict(values))
