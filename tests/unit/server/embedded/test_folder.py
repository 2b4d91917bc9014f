"""One platform to a data folder, private, and found again by its address."""

import os
import stat
from pathlib import Path

import pytest

from nsml_server.embedded.folder import DataFolder, write_private
from nsml_server.errors import FolderUnusable


def test_a_second_platform_is_told_where_the_first_one_serves(tmp_path: Path) -> None:
    first = DataFolder(tmp_path / "data")
    first.tell_address("http://127.0.0.1:8080")
    with pytest.raises(FolderUnusable, match=r"http://127\.0\.0\.1:8080 \(process \d+\)"):
        DataFolder(tmp_path / "data")
    first.close()
    DataFolder(tmp_path / "data").close()


def test_a_folder_that_is_a_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")
    with pytest.raises(FolderUnusable, match="data"):
        DataFolder(tmp_path / "data")


def test_nobody_else_may_list_the_folder_or_read_what_is_secret(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    folder.write_node_token("secret")
    folder.renew_broker()
    assert stat.S_IMODE(folder.path.stat().st_mode) & 0o066 == 0
    for path in (folder.node_token, folder.path / "broker.sqlite", folder.path / "lock"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    folder.close()


def test_the_broker_begins_empty(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    (folder.path / "broker.sqlite").write_bytes(b"old")
    (folder.path / "broker.sqlite-wal").write_bytes(b"old")
    folder.renew_broker()
    assert (folder.path / "broker.sqlite").read_bytes() == b""
    assert not (folder.path / "broker.sqlite-wal").exists()
    folder.close()


def test_a_private_file_follows_no_link(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("mine")
    (tmp_path / "file").symlink_to(target)
    write_private(tmp_path / "file", "new")
    assert target.read_text() == "mine"
    assert (tmp_path / "file").read_text() == "new"
    (tmp_path / f"other.{os.getpid()}").symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        write_private(tmp_path / "other", "new")
