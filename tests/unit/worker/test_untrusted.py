"""What a program left is opened without following it anywhere."""

import os
from pathlib import Path

import pytest

from nsml_worker import untrusted
from nsml_worker.checkpoints import read_checkpoint
from nsml_worker.errors import CheckpointRefused


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("secret")
    home = tmp_path / "home"
    (home / "checkpoints" / "c1" / "deep").mkdir(parents=True)
    (home / "checkpoints" / "c1" / "model").write_bytes(b"m")
    (home / "checkpoints" / "c1" / "deep" / "가").write_bytes(b"v")
    return home


def test_a_checkpoint_is_its_files_by_name_and_size(home: Path) -> None:
    tree = read_checkpoint(home, "c1")
    assert [(entry.path, entry.size) for entry in tree.files] == [("deep/가", 1), ("model", 1)]


@pytest.mark.parametrize("folder", ["..", ".", "", "../..", "c1/deep", "/etc", "c2", ".saving-x", None, 7, "c1\0"])
def test_a_name_that_leaves_its_folder_is_no_checkpoint(home: Path, folder: object) -> None:
    with pytest.raises(CheckpointRefused):
        read_checkpoint(home, folder)


def make_link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def make_socket(path: Path) -> None:
    os.mknod(path, 0o140600)


def make_loop(path: Path) -> None:
    path.symlink_to("..")


@pytest.mark.parametrize("make", [make_link, make_socket, make_loop, os.mkfifo])
def test_one_thing_that_is_no_plain_file_refuses_the_whole_checkpoint(home: Path, make: object) -> None:
    make(home / "checkpoints" / "c1" / "deep" / "x")  # type: ignore[operator]
    with pytest.raises(CheckpointRefused):
        read_checkpoint(home, "c1")


def test_too_many_files_and_too_deep_folders_are_refused(home: Path) -> None:
    with untrusted.open_folder(home) as fd, pytest.raises(untrusted.NotPlain):
        list(untrusted.walk(fd, 1))
    deep = home / "checkpoints" / "c1"
    for _ in range(untrusted.MAX_DEPTH + 1):
        deep = deep / "d"
        deep.mkdir()
    with pytest.raises(CheckpointRefused):
        read_checkpoint(home, "c1")


def test_a_name_that_is_not_utf8_is_refused(home: Path) -> None:
    (home / "checkpoints" / "c1" / os.fsdecode(b"\xff")).touch()
    with pytest.raises(CheckpointRefused):
        read_checkpoint(home, "c1")


def test_a_folder_on_the_way_may_not_be_a_link(home: Path) -> None:
    (home / "other").symlink_to(home.parent)
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        untrusted.open_path(home, "other/secret")
