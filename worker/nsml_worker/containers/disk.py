"""A disk for each box: a sparse file with a file system in it, so that the kernel itself refuses what is too much.

    <box>/disk.img    as large as the box may write; takes only what is written
    <box>/disk/       where it is mounted

Where the worker may not mount, disk/ is a plain folder, and what lies in it is measured instead.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from nsml_worker.box import DISK
from nsml_worker.errors import BoxFailed

IMAGE = "disk.img"
BYTES_PER_FILE = 16384  # a disk has room for one file for so many of its bytes,
FEWEST_FILES, MOST_FILES = 8192, 1_000_000  # within these bounds
SMALLEST = 4 * 2**20  # bytes; below it there is no room for a file system
MAKE = (
    "mkfs.ext4",
    "-q",
    "-F",
    "-m",
    "0",
    "-O",
    "^has_journal,^resize_inode",
    "-E",
    "lazy_itable_init=1,nodiscard,root_owner=0:0",
)
MOUNT = ("mount", "-t", "ext4", "-o", "loop,nosuid,nodev,noatime")


def find_obstacle(folder: Path) -> str:
    """Why disks cannot be made here; empty when they can. Tries it with a small one below `folder`."""
    if os.geteuid() != 0:
        return "only root can mount"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        make_disk(folder, SMALLEST)
    except BoxFailed as error:
        return str(error)
    finally:
        remove_disk(folder)
    return ""


def make_disk(box: Path, size: int) -> None:
    """Make and mount the disk of a box.

    Args:
        size: bytes.

    Raises:
        BoxFailed: with what the system said.
    """
    with (box / IMAGE).open("xb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.truncate(max(size, SMALLEST))
    files = min(MOST_FILES, max(FEWEST_FILES, size // BYTES_PER_FILE))
    _run(*MAKE, "-N", str(files), str(box / IMAGE))
    mount_disk(box)


def mount_disk(box: Path) -> None:
    """Mount a disk that is there.

    Raises:
        BoxFailed: with what the system said.
    """
    (box / DISK).mkdir(mode=0o711, exist_ok=True)
    _run(*MOUNT, str(box / IMAGE), str(box / DISK))
    (box / DISK).chmod(0o711)


def remove_disk(box: Path) -> None:
    """Unmount the disk of a box and take it away; what is not there is no fault.

    Raises:
        BoxFailed: it cannot be unmounted.
    """
    disk = box / DISK
    if disk.is_mount():
        try:
            _run("umount", str(disk))
        except BoxFailed:
            if disk.is_mount():  # somebody still looks into it, it goes when they have left; else somebody was quicker
                _run("umount", "--lazy", str(disk))
    (box / IMAGE).unlink(missing_ok=True)


def _run(*words: str) -> None:
    try:
        done = subprocess.run(words, capture_output=True, check=False)
    except OSError as error:
        raise BoxFailed(f"The disk of a box cannot be made: {error}.") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise BoxFailed(f"The disk of a box cannot be made: {said or words[0] + ' failed'}.")
