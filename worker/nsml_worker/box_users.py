"""The users of boxes: each box has one that nobody else on the machine has."""

from __future__ import annotations

import pwd
import secrets
from pathlib import Path

import psutil

from nsml_worker.errors import BoxFailed

FIRST_UID, LAST_UID = 61184, 65519  # the range systemd keeps for services that need a user only while they run


def find_free_user(boxes: Path) -> int:
    """A user no box below `boxes` and nobody else has. The owner of a box's code is the box's user.

    Another platform on this machine takes from the same range, and kills by user what a box left behind: so we begin
    anywhere in it, and pass over who has a process.

    Raises:
        BoxFailed: all are taken.
    """
    used = {folder.stat().st_uid for place in ("*/app", "*/disk/app") for folder in boxes.glob(place)}
    used |= {process.info["uids"].real for process in psutil.process_iter(["uids"])}
    count = LAST_UID + 1 - FIRST_UID
    first = secrets.randbelow(count)
    for uid in (FIRST_UID + (first + step) % count for step in range(count)):
        if uid not in used and not _is_known(uid):
            return uid
    raise BoxFailed("The node has no free user for another box; remove old boxes from its data folder.")


def _is_known(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True
