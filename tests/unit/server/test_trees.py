"""Paths we take, and what each kind of run sees of a dataset."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsml_server.domain.names import is_visible, shown
from nsml_server.domain.trees import (
    check_dataset_tree,
    check_tree,
    loader_view,
    open_view,
    path_problem,
    predict_view,
    score_view,
    train_view,
)
from nsml_server.errors import Invalid, NsmlError, TooLarge
from nsml_worker.contract import FileEntry, Tree

HASH = "0f" * 32


def tree(*paths: str, size: int = 10) -> Tree:
    return Tree(tuple(FileEntry(path, size, HASH) for path in paths))


def check(given: Tree) -> Tree:
    return check_tree(given, max_files=100, max_file_bytes=1000, max_bytes=5000)


def paths(of: Tree) -> list[str]:
    return [entry.path for entry in of.files]


@pytest.mark.parametrize(
    "path",
    [
        "main.py",
        "a/b/c.txt",
        "...",
        "..a/b",
        "이름 있는 파일.txt",
        "a b/[1]{2}(3)'+-.py",
        ".nsmlignore",
        "auxiliary.py",
    ],
)
def test_ordinary_paths_are_taken(path: str) -> None:
    assert paths(check(tree(path))) == [path]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../secret",
        "a/../../b",
        "a/..",
        ".",
        "./a",
        "a//b",
        "a/",
        "C:/windows",
        "c:evil",
        "a\\..\\b",
        "a\x00b",
        "a\nb",
        "a\x1b[2Jb",
        "invoice\u202egpj.py",
        "a\u200bb",
        "a\u2028b",
        "\ud800",
        "x" * 256,
        "한" * 86,
        "x" * 5000,
        "/".join(["abcdefghi"] * 200),
        "con",
        "NUL.txt",
        "src/aux.py",
        "COM1",
        "lpt9.log.gz",
    ],
)
def test_paths_that_mislead_are_refused_by_name(path: str) -> None:
    with pytest.raises(Invalid) as refused:
        check(tree("main.py", path))
    assert is_visible(refused.value.message)
    assert shown(path) in refused.value.message
    assert refused.value.hint


@pytest.mark.parametrize(
    "pair",
    [
        ("Main.py", "main.py"),
        ("a/x", "A/y"),
        ("straße", "STRASSE"),
        ("caf\u00e9", "cafe\u0301"),
        ("a", "a/b"),
        ("a", "a-b", "a/b"),
        ("main.py", "main.py"),
    ],
)
def test_paths_that_some_disk_takes_for_one_are_refused(pair: tuple[str, ...]) -> None:
    with pytest.raises(Invalid, match=r"cannot both exist|comes twice"):
        check(tree(*pair))


@given(st.text(alphabet=st.characters(), max_size=40))
def test_a_path_that_is_taken_stays_below_its_folder(path: str) -> None:
    if path_problem(path) is None:
        parts = path.split("/")
        assert all(part not in {"", ".", ".."} for part in parts)
        assert is_visible(path)
        assert all(len(part.encode()) <= 255 for part in parts)


@given(st.lists(st.text(alphabet="aA./\u00e9e\u0301", min_size=1, max_size=6), max_size=8))
def test_a_tree_that_is_taken_can_be_laid_out_on_a_disk_that_ignores_case(names: list[str]) -> None:
    try:
        taken = check(tree(*names))
    except NsmlError:
        return
    assert paths(taken) == sorted(names)
    laid_out: dict[str, str] = {}
    for path in paths(taken):
        for end in range(path.count("/") + 1):
            folder = "/".join(path.split("/")[: end + 1])
            assert laid_out.setdefault(folder.casefold(), folder) == folder
    files = set(paths(taken))
    assert not any(other.startswith(path + "/") for path in files for other in files)


def test_a_tree_comes_back_sorted() -> None:
    assert paths(check(tree("b", "a/c", "a/b"))) == ["a/b", "a/c", "b"]


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ([FileEntry("big.bin", 1001, HASH)], "big.bin"),
        ([FileEntry(f"f{n}", 900, HASH) for n in range(6)], "folder holds"),
        ([FileEntry(f"f{n}", 0, HASH) for n in range(101)], "101 files"),
    ],
)
def test_what_is_too_much_is_refused_and_says_what_may_be_left_out(files: list[FileEntry], named: str) -> None:
    with pytest.raises(TooLarge, match=named) as refused:
        check(Tree(tuple(files)))
    assert ".nsmlignore" in (refused.value.hint or "")


@pytest.mark.parametrize("change", [{"size": -1}, {"mode": 0o4755}, {"mode": -1}, {"hash": "0f"}, {"hash": "0F" * 32}])
def test_an_entry_with_a_wrong_field_is_refused_by_name(change: dict[str, object]) -> None:
    entry = dataclasses.replace(FileEntry("main.py", 1, HASH), **change)  # type: ignore[arg-type]
    with pytest.raises(Invalid, match=r"main\.py"):
        check(Tree((entry,)))


DATASET = tree(
    "data_loader.py",
    "evaluation.py",
    "readme.md",
    "test/test_data/a.txt",
    "test/test_label",
    "test/test_label.csv",
    "test_submit/test_data",
    "train/train_data",
    "train/train_label",
)


def test_a_training_sees_neither_the_test_nor_the_evaluation() -> None:
    assert paths(train_view(DATASET)) == [
        "data_loader.py",
        "readme.md",
        "test_submit/test_data",
        "train/train_data",
        "train/train_label",
    ]


def test_a_prediction_sees_neither_the_train_part_nor_a_label() -> None:
    assert paths(predict_view(DATASET)) == [
        "data_loader.py",
        "readme.md",
        "test/test_data/a.txt",
        "test_submit/test_data",
    ]


def test_a_scoring_sees_the_test_and_the_evaluation() -> None:
    assert paths(score_view(DATASET)) == [
        "evaluation.py",
        "test/test_data/a.txt",
        "test/test_label",
        "test/test_label.csv",
    ]


def test_of_a_dataset_without_a_leaderboard_all_is_seen_and_what_nsml_put_below_train_at_the_root_too() -> None:
    pushed = tree("train/mnist/a/1.png", "train/mnist/labels.csv")
    assert paths(open_view(pushed)) == ["a/1.png", "labels.csv", "train/mnist/a/1.png", "train/mnist/labels.csv"]
    hashes = {entry.path.removeprefix("train/mnist/"): entry.hash for entry in pushed.files}
    assert all(hashes[entry.path] == entry.hash for entry in open_view(pushed).files if entry.path in hashes)


@pytest.mark.parametrize(
    "kept",
    [
        tree(),
        tree("data.csv", "train/mnist/labels.csv"),
        tree("train/cats/1.png", "train/dogs/1.png"),
        tree("train/data.txt"),
        tree("train/data.txt", "train/mnist/labels.csv"),
        tree("Train/mnist/labels.csv"),
        tree("train/mnist/labels.csv", "train/mnist/train/1.png"),
        tree("train/mnist/Train"),
    ],
)
def test_what_is_laid_out_otherwise_is_seen_as_it_is(kept: Tree) -> None:
    assert open_view(kept) == kept


def test_the_loader_is_one_file() -> None:
    assert paths(loader_view(DATASET)) == ["data_loader.py"]


@pytest.mark.parametrize("path", ["Test/test_label", "test/TEST_LABEL", "TEST/Test_Label/x", "test/test_label_2/a"])
def test_no_spelling_shows_a_label(path: str) -> None:
    assert paths(train_view(tree(path))) == []
    assert paths(predict_view(tree(path))) == []
    assert paths(score_view(tree(path))) == [path]


def test_a_dataset_with_a_leaderboard_is_complete() -> None:
    check_dataset_tree(tree("data_loader.py", "test/test_data", "test/test_label"), True, "accuracy")
    check_dataset_tree(DATASET, True, "custom")


@pytest.mark.parametrize("missing", ["data_loader.py", "test/test_data", "test/test_label", "evaluation.py"])
def test_what_a_leaderboard_lacks_is_told_by_name_with_what_to_add(missing: str) -> None:
    whole = ["data_loader.py", "test/test_data", "test/test_label", "evaluation.py"]
    with pytest.raises(Invalid, match=missing) as refused:
        check_dataset_tree(tree(*(path for path in whole if path != missing)), True, "custom")
    assert missing in (refused.value.hint or "")
    assert refused.value.details == {"missing": [missing]}


def test_an_empty_label_file_counts_as_missing() -> None:
    files = (*tree("data_loader.py", "test/test_data").files, FileEntry("test/test_label", 0, HASH))
    with pytest.raises(Invalid, match="test/test_label"):
        check_dataset_tree(Tree(files), True, "accuracy")


def test_a_dataset_without_a_leaderboard_needs_only_a_file() -> None:
    check_dataset_tree(tree("train/data.txt"), False, "accuracy")
    with pytest.raises(Invalid, match="empty"):
        check_dataset_tree(Tree(), False, "accuracy")
