"""Datasets and their versions."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from nsml_server.storage.database import ReadTransaction
from nsml_server.storage.tables import Dataset, DatasetVersion

_LIVE = Dataset.deleted_at.is_(None)


def named(tx: ReadTransaction, name: str) -> Dataset | None:
    """The dataset that has this name now, as it is now, with its owner."""
    found = select(Dataset).where(Dataset.name == name, _LIVE).options(joinedload(Dataset.owner))
    return tx.scalar(found, execution_options={"populate_existing": True})


def all_live(tx: ReadTransaction) -> Sequence[Dataset]:
    """Every dataset with its owner, by name."""
    return tx.scalars(select(Dataset).where(_LIVE).options(joinedload(Dataset.owner)).order_by(Dataset.name)).all()


def latest_version(tx: ReadTransaction, dataset_id: int) -> DatasetVersion | None:
    """What was pushed last."""
    newest = select(DatasetVersion).where(DatasetVersion.dataset_id == dataset_id)
    return tx.scalar(newest.order_by(DatasetVersion.number.desc()).limit(1))


def version_of(tx: ReadTransaction, version_id: int) -> DatasetVersion | None:
    """A version with its dataset."""
    one = select(DatasetVersion).where(DatasetVersion.id == version_id)
    return tx.scalar(one.options(joinedload(DatasetVersion.dataset)))
