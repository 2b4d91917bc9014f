"""The public sample stands where the hidden test was, and nothing hidden stays."""

from nsml_server.domain import samples
from nsml_worker.contract import FileEntry, Tree


def tree(*paths: str) -> Tree:
    return Tree(tuple(FileEntry(path, 1, f"{number:064x}") for number, path in enumerate(sorted(paths))))


def paths(found: Tree | None) -> list[str]:
    assert found is not None
    return [entry.path for entry in found.files]


WHOLE = ("data_loader.py", "evaluation.py", "test/test_data", "test/test_label", "train/train_data")


def test_the_organisers_sample_takes_the_place_of_the_test() -> None:
    whole = tree(*WHOLE, "test_submit/test_data/a.png", "test_submit/test_label")
    found = samples.of_folder(whole)
    shown = [*WHOLE[:2], "test/test_data/a.png", "test/test_label", "test_submit/test_data/a.png"]
    assert paths(found) == [*shown, "test_submit/test_label", "train/train_data"]
    by_path = {entry.path: entry.hash for entry in whole.files}
    assert found is not None
    moved = {entry.path: entry.hash for entry in found.files}
    assert moved["test/test_label"] == by_path["test_submit/test_label"]
    assert by_path["test/test_label"] not in moved.values()


def test_a_hidden_file_in_other_letters_does_not_stay() -> None:
    assert paths(samples.of_folder(tree("TEST/secret", "Test_Submit/rows"))) == ["Test_Submit/rows", "test/rows"]


def test_the_name_sample_will_do_and_test_submit_comes_first() -> None:
    assert "test/b" in paths(samples.of_folder(tree(*WHOLE, "sample/b")))
    assert "test/b" not in paths(samples.of_folder(tree(*WHOLE, "sample/b", "test_submit/a")))


def test_without_a_sample_there_is_none() -> None:
    assert samples.of_folder(tree(*WHOLE)) is None


def test_rows_are_taken_only_of_four_plain_files() -> None:
    assert samples.row_files(tree(*WHOLE)) is None
    assert samples.row_files(tree(*WHOLE, "train/train_label")) is not None
    assert samples.row_files(tree(*WHOLE[:2], "test/test_data/a", "test/test_label", "train/train_data")) is None


def test_whether_it_can_be_scored_is_seen_by_its_labels() -> None:
    assert samples.has_answers(tree("test/test_label/a"))
    assert not samples.has_answers(tree("test/test_data"))
