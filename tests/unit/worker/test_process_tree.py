"""What processes and folders use, measured from outside: what ends, hides or moves meanwhile makes no number wrong."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nsml_worker import process_tree
from nsml_worker.output_log import HOLE, Log
from nsml_worker.process_tree import DEEPEST, UNKNOWN, Use, measure_folder, measure_unlinked

MIB = 2**20


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def test_one_that_has_ended_does_not_hide_what_the_others_share(sleeper: subprocess.Popen[bytes]) -> None:
    with subprocess.Popen(["true"]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)  # from here on it is a zombie
        use = Use()
        use.memory = 2**60
        use.share_memory(os.getpid())
    assert 0 < use.memory < 2**60


def test_one_whose_shares_are_not_told_counts_with_all_it_holds(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = process_tree.read

    def refuse(path: str) -> str:
        if path.endswith("smaps_rollup"):
            raise PermissionError(path)
        return read(path)

    monkeypatch.setattr(process_tree, "read", refuse)
    use = Use()
    use.measure(os.getpid())
    assert use.memory > 0
    assert process_tree.read_shared_size(sleeper.pid) > 0


def test_what_lies_behind_a_path_that_is_too_long_to_be_named_is_measured(tmp_path: Path) -> None:
    nest(tmp_path, ["x" * 200] * 25)
    assert 8 * MIB <= measure_folder(str(tmp_path)) < 16 * MIB


def test_what_lies_too_deep_to_be_looked_into_is_more_than_any_limit(tmp_path: Path) -> None:
    nest(tmp_path, ["d"] * (DEEPEST + 1))
    assert measure_folder(str(tmp_path)) == UNKNOWN


def nest(folder: Path, names: list[str]) -> None:
    """8 MiB below folders in one another."""
    fd = os.open(folder, os.O_RDONLY)
    for name in names:
        os.mkdir(name, dir_fd=fd)
        child = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = child
    file = os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=fd)
    os.write(file, bytes(8 * MIB))
    os.close(file)
    os.close(fd)


def test_a_folder_that_is_closed_to_the_worker_is_more_than_any_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir()
    before_opening(monkeypatch, "closed", refuse)
    assert measure_folder(str(tmp_path)) == UNKNOWN


def test_a_folder_that_becomes_a_link_while_it_is_looked_at_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere, box = tmp_path / "elsewhere", tmp_path / "box"
    (box / "swapped").mkdir(parents=True)
    elsewhere.mkdir()
    (elsewhere / "large").write_bytes(bytes(8 * MIB))

    def swap() -> None:
        (box / "swapped").rmdir()
        (box / "swapped").symlink_to(elsewhere)

    before_opening(monkeypatch, "swapped", swap)
    assert measure_folder(str(box)) < MIB
    assert (box / "swapped").is_symlink()


def refuse() -> None:
    raise PermissionError("closed")


def before_opening(monkeypatch: pytest.MonkeyPatch, name: str, action: Any) -> None:
    real = os.open

    def open_after(path: Any, *more: Any, **words: Any) -> int:
        if path == name or str(path).endswith(f"/{name}"):
            action()
        return real(path, *more, **words)

    monkeypatch.setattr(os, "open", open_after)


def test_names_without_a_byte_take_room_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_tree, "FREE_ENTRIES", 10)
    for number in range(210):
        (tmp_path / str(number)).touch()
    assert measure_folder(str(tmp_path)) >= 200 * process_tree.BYTES_PER_ENTRY


def test_a_file_without_a_name_counts_as_long_as_somebody_holds_it(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.write(bytes(4 * MIB))
        file.flush()
        (tmp_path / "file").unlink()
        with subprocess.Popen(["sleep", "600"], pass_fds=[file.fileno()]) as holder:
            assert 4 * MIB <= measure_unlinked(os.getpid(), [str(tmp_path)]) < 8 * MIB
            assert measure_unlinked(os.getpid(), ["/proc", str(tmp_path / "removed")]) == 0
            holder.kill()
    assert measure_folder(str(tmp_path)) < MIB


def test_output_that_a_full_disk_took_is_marked_and_what_comes_later_is_kept(tmp_path: Path) -> None:
    log = Log(str(tmp_path / "log"), 1000)
    disk = os.dup(log.fd)
    log.write(b"before ")
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, log.fd)
    log.write(b"lost")
    os.dup2(disk, log.fd)
    log.write(b"after")
    log.close()
    os.close(full)
    os.close(disk)
    assert (tmp_path / "log").read_bytes() == b"before " + HOLE + b"after"
