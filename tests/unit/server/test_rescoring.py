"""What may change in a dataset before a kept prediction is scored again, and which submits may be."""

import pytest

from nsml_server.domain.rescoring import changed_inputs, refusal
from nsml_server.domain.states import SubmissionState
from nsml_worker.contract import FileEntry, Tree

PATHS = (
    "data_loader.py", "evaluation.py", "train/train_data", "test/test_data/a.png", "test/test_data/b.png",
    "test/test_label", "test/info.json", "README.md",
)  # fmt: skip


def tree(*, without: str = "", changed: str = "", added: str = "") -> Tree:
    paths = [path for path in PATHS if path != without] + ([added] if added else [])
    return Tree(tuple(FileEntry(path, 1, "changed" if path == changed else "same") for path in paths))


@pytest.mark.parametrize("path", ["evaluation.py", "train/train_data", "test/test_label", "README.md"])
def test_what_a_prediction_was_not_made_from_may_change_come_and_go(path: str) -> None:
    assert changed_inputs(tree(), tree(changed=path)) == []
    assert changed_inputs(tree(without=path), tree()) == []
    assert changed_inputs(tree(), tree(without=path)) == []


@pytest.mark.parametrize("path", ["data_loader.py", "test/test_data/a.png", "test/info.json"])
def test_what_a_prediction_was_made_from_may_not(path: str) -> None:
    assert changed_inputs(tree(), tree(changed=path)) == [path]
    assert changed_inputs(tree(without=path), tree()) == [path]
    assert changed_inputs(tree(), tree(without=path)) == [path]


def test_an_input_is_one_however_it_is_spelt() -> None:
    assert changed_inputs(tree(), tree(added="Test/more")) == ["Test/more"]
    assert changed_inputs(tree(), tree(added="TEST/Test_Label2")) == []


@pytest.mark.parametrize("state", SubmissionState)
def test_only_what_was_scored_or_has_failed_with_a_prediction_is_scored_again(state: SubmissionState) -> None:
    why = refusal(state, has_prediction=True, is_rehearsal=False)
    assert (why is None) == (state in (SubmissionState.SCORED, SubmissionState.FAILED))
    assert refusal(state, has_prediction=False, is_rehearsal=False)
    assert refusal(state, has_prediction=True, is_rehearsal=True)
