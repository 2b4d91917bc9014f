"""What lies in a folder of boxes: what can be read is gone on with, what was being removed goes, the rest is left alone."""

import fcntl
import json
from pathlib import Path

import pytest

from nsml_worker.box import LOCK, RECORD, Box, BoxId, find_boxes, open_box
from nsml_worker.confinement import LADDER
from nsml_worker.contract import RunKind, RunSpec
from nsml_worker.errors import BoxUnreadable
from nsml_worker.process_runner import ProcessRunner

SPEC = RunSpec(1, 1, RunKind.TRAIN, "u/d/1", "default", ("python", "-u", "main.py"), ())


@pytest.fixture
def box(tmp_path: Path) -> Box:
    made = Box(tmp_path / "1-1", SPEC, "token")
    made.create()
    return made


@pytest.mark.parametrize("record", ["", "[]", "{}", json.dumps({"spec": {"kind": "of a later version"}, "token": ""})])
def test_a_record_that_is_not_understood_is_no_box_that_was_being_removed(box: Box, record: str) -> None:
    (box.folder / RECORD).write_text(record)
    with pytest.raises(BoxUnreadable, match=r"1-1/record\.json"):
        open_box(box.folder)
    runner = ProcessRunner(box.folder.parent, box.folder, {}, LADDER[-1])
    assert runner.reattach() == []
    assert find_boxes(box.folder.parent).unreadable == (BoxId(1, 1),)
    assert (box.folder / RECORD).read_text() == record


def test_a_box_of_which_the_removal_was_cut_off_goes_and_nothing_else_does(box: Box) -> None:
    boxes = box.folder.parent
    (boxes / "2-1" / "app" / "deep").mkdir(parents=True)
    (boxes / "2-1" / "app" / "deep" / "file").touch()
    (boxes / "2-1" / "app" / "deep").chmod(0)
    (boxes / "lost+found").mkdir()
    assert ProcessRunner(boxes, boxes, {}, LADDER[-1]).reattach() == [box]
    assert sorted(path.name for path in boxes.iterdir()) == ["1-1", "lost+found"]


def test_who_looks_for_a_supervisor_is_not_taken_for_one(box: Box) -> None:
    with (box.folder / LOCK).open("w") as looking, (box.folder / LOCK).open("w") as living:
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert not box.is_supervised()
        fcntl.flock(looking, fcntl.LOCK_UN)
        fcntl.flock(living, fcntl.LOCK_EX)
        assert box.is_supervised()
