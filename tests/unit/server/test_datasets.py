"""What a dataset's files must say, told at the push."""

from collections.abc import Callable

import pytest

from nsml_server.domain.datasets import check_contents
from nsml_server.errors import Invalid

LOADER = b"import os\n\ndef feed_infer(output_file, infer_func):\n    pass\n"


def reader(**files: bytes) -> Callable[[str], bytes | None]:
    names = {"data_loader.py": "loader", "evaluation.py": "evaluation", "test/test_label": "label"}
    return lambda path: files.get(names[path])


@pytest.mark.parametrize(
    "loader",
    [
        LOADER,
        b"def test_data_loader(root_path): return []",
        b"from base import feed_infer",
        b"feed_infer = None",
        "# 한글 설명\ndef feed_infer(o, i): pass".encode(),
        b"try:\n    import x\nexcept ImportError:\n    def feed_infer(o, i): pass",
    ],
)
def test_a_loader_that_drives_infer_is_taken(loader: bytes) -> None:
    check_contents(reader(loader=loader, label=b"1\n0\n"), "accuracy")


@pytest.mark.parametrize(
    ("loader", "told"),
    [
        (b"def feed_infer(:", r"data_loader\.py:1 is not valid Python"),
        (b"x = 1\n\ndef feed_infer(o, i):\nreturn", r"data_loader\.py:4"),
        (b"def load(): pass", "neither feed_infer nor test_data_loader"),
        (b"", "neither"),
        (b"\x00", r"data_loader\.py"),
        (b"\xff\xfe", r"data_loader\.py"),
        (b"x = " + b"(" * 5000 + b")" * 5000, r"data_loader\.py"),
        (b"#" * (2**20 + 1), "larger than"),
    ],
)
def test_a_loader_that_cannot_work_is_told_with_its_line(loader: bytes, told: str) -> None:
    with pytest.raises(Invalid, match=told) as refused:
        check_contents(reader(loader=loader, label=b"1\n"), "accuracy")
    assert refused.value.hint


def test_a_custom_metric_needs_an_evaluation_that_parses() -> None:
    check_contents(reader(loader=LOADER, evaluation=b"print(0.5)", label=b"\xff"), "custom")
    with pytest.raises(Invalid, match=r"evaluation\.py:2"):
        check_contents(reader(loader=LOADER, evaluation=b"print(1)\nif x\n"), "custom")


def test_labels_that_are_no_text_are_told_when_a_built_in_metric_reads_them() -> None:
    with pytest.raises(Invalid, match="byte 2"):
        check_contents(reader(loader=LOADER, label=b"1\n\xff\xfe"), "accuracy")


def test_labels_in_a_folder_are_left_to_the_evaluation() -> None:
    check_contents(reader(loader=LOADER), "accuracy")


def test_nothing_of_the_dataset_is_run() -> None:
    check_contents(reader(loader=LOADER + b"\nraise SystemExit('it ran')\n", label=b"1"), "accuracy")
