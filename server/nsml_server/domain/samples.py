"""The public sample of a dataset: what a submit is rehearsed on, laid out as the hidden test is.

The organiser gives it as test_submit/, as from 2019, or sample/. Where there is none, the first rows of the train part stand
for it, as NSML took ten rows in 2018; only where train and test both have a line for each row, or rows would be guessed.
"""

from __future__ import annotations

from collections.abc import Iterable

from nsml_server.domain.trees import TEST_LABEL
from nsml_worker.contract import FileEntry, Tree

FOLDERS = ("test_submit", "sample")
ROWS = 10  # that are taken from the train part
INPUTS, ANSWERS = "test/test_data", "test/test_label"
TRAIN_INPUTS, TRAIN_ANSWERS = "train/train_data", "train/train_label"


def of_folder(tree: Tree) -> Tree | None:
    """The dataset with its sample where the hidden test was; None when it has no sample."""
    for folder in FOLDERS:
        rows = [entry for entry in tree.files if _is_below(entry, folder)]
        if rows:
            return _with_test(tree, (_moved(entry, folder) for entry in rows))
    return None


def of_rows(tree: Tree, inputs: FileEntry, answers: FileEntry) -> Tree:
    """The dataset with these two files where the hidden test was."""
    return _with_test(tree, (inputs, answers))


def row_files(tree: Tree) -> dict[str, FileEntry] | None:
    """The files of train and test that would have a line for each row; None when one of them is no single file."""
    files = {entry.path: entry for entry in tree.files}
    wanted = (TRAIN_INPUTS, TRAIN_ANSWERS, INPUTS, ANSWERS)
    return {path: files[path] for path in wanted} if all(path in files for path in wanted) else None


def has_answers(tree: Tree) -> bool:
    """Whether a prediction on it can be scored."""
    return any(entry.path.casefold().startswith(TEST_LABEL) for entry in tree.files)


def _with_test(tree: Tree, test: Iterable[FileEntry]) -> Tree:
    # Compared without regard to case, so that no hidden file stays for being spelt Test/.
    kept = (entry for entry in tree.files if not _is_below(entry, "test"))
    return Tree(tuple(sorted((*kept, *test), key=lambda entry: entry.path)))


def _is_below(entry: FileEntry, folder: str) -> bool:
    return entry.path.casefold().startswith(f"{folder}/")


def _moved(entry: FileEntry, folder: str) -> FileEntry:
    return FileEntry(f"test/{entry.path[len(folder) + 1 :]}", entry.size, entry.hash, entry.mode)
