"""A disk for each box: a sparse file with a file system in it, so that the kernel itself refuses what is too much.

    <box>/disk.img    as large as the box may write; takes only what is written
    <box>/disk/       where it is mounted

Where the worker may not mount, disk/ is a plain folder, and what lies in it is measured instead.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

from nsml_worker.box import DISK
from nsml_worker.containers.end import describe_size
from nsml_worker.errors import BoxFailed

IMAGE = "disk.img"
BYTES_PER_FILE = 16384  # a disk has room for one file for so many of its bytes,
FEWEST_FILES, MOST_FILES = 8192, 1_000_000  # within these bounds
SMALLEST = 4 * 2**20  # bytes; below it there is no room for a file system
LEAST, MOST = 2**30, 20 * 2**30  # bytes; a box that names no limit gets its share of what is free, within these bounds
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
CHECK = ("e2fsck", "-f", "-y")  # what cannot be mended without a question would be lost without an answer too
MENDED = 3  # of its exit statuses the highest with which a disk is whole
MOUNT = ("mount", "-t", "ext4", "-o", "loop,nosuid,nodev,noatime")


def find_obstacle(folder: Path) -> str:
    """Why disks cannot be made here; empty when they can. Tries it with a small one below `folder`."""
    if os.geteuid() != 0:
        return "only root can mount"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        remove_disk(folder)  # of a worker that was killed here
        make_disk(folder, SMALLEST)
    except BoxFailed as error:
        return str(error)
    finally:
        remove_disk(folder)
    return ""


def choose_size(boxes: Path, count: int) -> int:
    """Bytes for a box that names no limit: so many, each with as much, find room in what is free now.

    Asked for each box anew, each is given less than the one before while those run, and what others write to this disk
    meanwhile refuses none of them.
    """
    return min(MOST, max(LEAST, find_room(boxes) // count))


def size_of(box: Path) -> int:
    """Bytes of the disk that a box was given; 0 where it has a plain folder."""
    try:
        return (box / IMAGE).stat().st_size
    except FileNotFoundError:
        return 0


def find_room(boxes: Path) -> int:
    """Bytes that are free and that no box's disk may still come to take. Were they taken, a box would lose what it believes
    to have written.
    """
    disk = os.statvfs(boxes)
    promised = 0
    for image in boxes.glob(f"*/{IMAGE}"):
        with contextlib.suppress(FileNotFoundError):
            facts = image.stat()
            promised += max(0, facts.st_size - facts.st_blocks * 512)
    return disk.f_bavail * disk.f_frsize - promised


def make_disk(box: Path, size: int) -> None:
    """Make and mount the disk of a box.

    Args:
        size: bytes.

    Raises:
        BoxFailed: there is no room for it, or with what the system said.
    """
    free = find_room(box.parent)
    if size > free:
        raise BoxFailed(
            f"There is no room for a box's disk of {describe_size(size)}: {describe_size(max(0, free))} are free beside what "
            "other boxes may still write. Make room, or set NSML_BOX_DISK lower."
        )
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


def mount_again(box: Path) -> None:
    """Mount a disk whose machine may have lost its power: checked before, for it has no journal.

    Raises:
        BoxFailed: with what the system said.
    """
    _run(*CHECK, str(box / IMAGE), good=MENDED)
    mount_disk(box)


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


def _run(*words: str, good: int = 0) -> None:
    """Raises BoxFailed where the exit status is none from 0 to `good`."""
    try:
        done = subprocess.run(words, capture_output=True, check=False)
    except OSError as error:
        raise BoxFailed(f"The disk of a box cannot be made: {error}.") from error
    if not 0 <= done.returncode <= good:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise BoxFailed(f"The disk of a box cannot be made: {said or words[0] + ' failed'}.")
