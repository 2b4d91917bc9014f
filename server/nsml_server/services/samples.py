"""What a rehearsal runs on: found in the dataset, or made of its first rows."""

from __future__ import annotations

import io
import itertools

from blake3 import blake3

from nsml_server.domain import samples
from nsml_server.errors import Conflict
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.repositories import manifests
from nsml_server.storage.tables import Dataset, DatasetVersion, Submission
from nsml_worker.contract import FileEntry, Tree

FROM_TRAIN = f"Rehearsed on the first {samples.ROWS} rows of train: seen in training, so the score is flattering."
MAX_COUNTED = 64 * 2**20  # bytes of a file whose lines are counted
MAX_ROWS = 2**20  # bytes of the first rows


def of_version(platform: Platform, tx: WriteTransaction, dataset: Dataset, version: DatasetVersion) -> str:
    """The manifest of the dataset as a rehearsal sees it.

    Raises:
        Conflict: the dataset has no public sample.
    """
    tree = manifests.load(tx, version.manifest)
    found = samples.of_folder(tree) or _of_first_rows(platform, tree)
    if found is None:
        raise Conflict(
            f"The dataset {dataset.name} has no public sample to rehearse on.",
            hint="Its owner can push one as test_submit/test_data and test_submit/test_label; "
            "`nsmlctl local main.py -d FOLDER` rehearses on a folder of your own.",
            code="no_sample",
        )
    return manifests.save(tx, found)


def caveat(tx: ReadTransaction, submission: Submission) -> str | None:
    """What is to be said of the score of a rehearsal; None where its sample is the organiser's own, and of a submit."""
    version = tx.get(DatasetVersion, submission.dataset_version_id) if submission.is_rehearsal else None
    if version is None or samples.of_folder(manifests.load(tx, version.manifest)) is not None:
        return None
    return FROM_TRAIN


def _of_first_rows(platform: Platform, tree: Tree) -> Tree | None:
    files = samples.row_files(tree)
    if files is None or any(entry.size > MAX_COUNTED for entry in files.values()):
        return None
    counts = {path: _count_lines(platform, entry) for path, entry in files.items()}
    train = {counts[samples.TRAIN_INPUTS], counts[samples.TRAIN_ANSWERS]}
    test = {counts[samples.INPUTS], counts[samples.ANSWERS]}
    if len(train) != 1 or len(test) != 1 or 0 in train:
        return None
    inputs = _cut(platform, files[samples.TRAIN_INPUTS], samples.INPUTS)
    answers = _cut(platform, files[samples.TRAIN_ANSWERS], samples.ANSWERS)
    return None if inputs is None or answers is None else samples.of_rows(tree, inputs, answers)


def _count_lines(platform: Platform, entry: FileEntry) -> int:
    with platform.blobs.open(entry.hash) as source:
        return sum(1 for _ in source)


def _cut(platform: Platform, entry: FileEntry, path: str) -> FileEntry | None:
    with platform.blobs.open(entry.hash) as source:
        rows = b"".join(itertools.islice(source, samples.ROWS))
    if len(rows) > MAX_ROWS:
        return None
    name = blake3(rows).hexdigest()
    platform.blobs.put(io.BytesIO(rows), name)
    return FileEntry(path, len(rows), name)
