"""Room for the disks of boxes: what is promised is there."""

import os
from pathlib import Path
from typing import Any

import pytest

from nsml_worker.containers import disk
from nsml_worker.errors import BoxFailed

GIB = 2**30


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that says how many bytes the file system of boxes has free."""

    def set_free(size: int) -> None:
        facts = list(os.statvfs("/"))
        facts[0] = facts[1] = 4096
        facts[4] = size // 4096
        monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(facts))

    return set_free


def promise(boxes: Path, name: str, size: int) -> Path:
    """A box's disk of which nothing was written yet."""
    (boxes / name).mkdir()
    with (boxes / name / disk.IMAGE).open("xb") as file:
        file.truncate(size)
    return boxes / name


def test_a_box_is_refused_the_room_that_others_were_promised(tmp_path: Path, free: Any) -> None:
    free(10 * GIB)
    promise(tmp_path, "1-1", 6 * GIB)
    (tmp_path / "2-1").mkdir()
    with pytest.raises(BoxFailed, match=r"disk of 5 GiB: 4 GiB are free beside .* NSML_BOX_DISK lower"):
        disk.make_disk(tmp_path / "2-1", 5 * GIB)
    assert list((tmp_path / "2-1").iterdir()) == []


def test_what_a_box_has_written_is_no_promise_any_more(tmp_path: Path, free: Any) -> None:
    free(10 * GIB)
    box = promise(tmp_path, "1-1", 2**20)
    (box / disk.IMAGE).write_bytes(os.urandom(2**20))
    assert disk.find_room(tmp_path) == 10 * GIB


@pytest.mark.parametrize(("room", "share"), [(9, 3), (900, 20), (2, 1)])
def test_without_a_limit_each_box_has_its_share(tmp_path: Path, free: Any, room: int, share: int) -> None:
    free(room * GIB)
    assert disk.choose_size(tmp_path, 3) == share * GIB


def test_there_is_a_disk_for_one_box_more_than_was_thought_of_when_others_write_too(tmp_path: Path, free: Any) -> None:
    free(50 * GIB)
    for name in ("1-1", "2-1", "3-1"):
        promise(tmp_path, name, disk.choose_size(tmp_path, 2))
        free(49 * GIB)
    assert disk.LEAST < disk.choose_size(tmp_path, 2) <= disk.find_room(tmp_path)
    assert [disk.size_of(tmp_path / name) for name in ("1-1", "2-1", "none")] == [20 * GIB, 14.5 * GIB, 0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
class TestMounted:
    def test_a_worker_killed_while_it_tried_a_disk_is_no_obstacle_for_the_next(self, tmp_path: Path) -> None:
        before = disk.find_obstacle(tmp_path / "probe")
        (tmp_path / "probe" / disk.IMAGE).write_bytes(b"left")
        assert disk.find_obstacle(tmp_path / "probe") == before

    def test_a_disk_that_lost_its_power_is_mended_before_it_is_mounted(self, tmp_path: Path) -> None:
        if said := disk.find_obstacle(tmp_path / "probe"):
            pytest.skip(said)
        disk.make_disk(tmp_path, 16 * 2**20)
        try:
            (tmp_path / "disk/model").write_bytes(b"weights")
            os.sync()
            torn = (tmp_path / disk.IMAGE).read_bytes()
            disk.remove_disk(tmp_path)
            (tmp_path / disk.IMAGE).write_bytes(tear(torn))
            disk.mount_again(tmp_path)
            assert (tmp_path / "disk/model").read_bytes() == b"weights"
            assert (tmp_path / "disk").is_mount()
        finally:
            disk.remove_disk(tmp_path)


def tear(image: bytes) -> bytes:
    """As a machine without power leaves it: the superblock's count of free blocks was never written."""
    at = 1024 + 12
    return image[:at] + (1).to_bytes(4, "little") + image[at + 4 :]
