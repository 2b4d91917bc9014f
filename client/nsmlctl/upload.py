"""Brings a manifest's bytes to the server: asks what it lacks, sends that, several at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, cast

from nsmlctl.errors import Refused
from nsmlctl.manifest import Manifest, ManifestEntry, changed, open_source
from nsmlctl.pack import PackPlan, build_pack, plan_packs

if TYPE_CHECKING:
    from nsmlctl.api import Api

AT_ONCE = 4  # connections: enough to hide the server's fsync, few enough to be polite
ASK_AT_ONCE = 5000  # hashes in one question

Progress = Callable[[int], None]  # told the bytes sent since the last time


class UploadStopped(Exception):
    """Another upload failed, or the person pressed Ctrl-C: this one need not go on."""


def plan_upload(api: Api, manifest: Manifest) -> PackPlan:
    """What the server lacks of it."""
    hashes = sorted({entry.hash for entry in manifest.entries})
    missing: list[str] = []
    for start in range(0, len(hashes), ASK_AT_ONCE):
        missing += api.missing(hashes[start : start + ASK_AT_ONCE])
    return plan_packs(manifest, missing)


def send(api: Api, plan: PackPlan, progress: Progress) -> None:
    """Returns when the server has everything.

    Raises:
        CannotUpload: a file changed while it was read.
        KeyboardInterrupt: pressed meanwhile; the uploads under way are given up first.
    """
    stopped = threading.Event()
    lock = threading.Lock()

    def tell(sent: int) -> None:
        with lock:
            progress(sent)

    jobs: list[Callable[[], None]] = [partial(_send_pack, api, pack, tell) for pack in plan.packs]
    jobs += [partial(_send_single, api, entry, tell, stopped) for entry in plan.singles]
    if len(jobs) == 1:
        jobs[0]()
    elif jobs:
        _at_once(jobs, stopped)


def _at_once(jobs: Sequence[Callable[[], None]], stopped: threading.Event) -> None:
    """Raises the first failure. The thread that fails says so itself: until this one wakes, it would go on failing."""
    from concurrent.futures import ThreadPoolExecutor, wait

    failures: list[Exception] = []  # appended before the others are stopped: the first one is never their giving up

    def attempt(job: Callable[[], None]) -> None:
        if stopped.is_set():
            return
        try:
            job()
        except Exception as error:
            failures.append(error)
            stopped.set()

    pool = ThreadPoolExecutor(min(AT_ONCE, len(jobs)))
    try:
        wait([pool.submit(attempt, job) for job in jobs])
    finally:
        stopped.set()
        pool.shutdown(wait=True, cancel_futures=True)
    if failures:
        raise failures[0]


def _send_pack(api: Api, entries: Sequence[ManifestEntry], progress: Progress) -> None:
    api.put_pack(build_pack(entries))
    progress(sum(entry.size for entry in entries))


def _send_single(api: Api, entry: ManifestEntry, progress: Progress, stopped: threading.Event) -> None:
    told = 0

    def tell(position: int) -> None:  # a repeated upload begins again: what was told already is not told twice
        nonlocal told
        if position > told:
            progress(position - told)
            told = position

    def opened() -> BinaryIO:
        return cast(BinaryIO, WatchedFile(open_source(entry.source, entry.path), entry, tell, stopped))

    try:
        api.put_blob(entry.hash, entry.size, opened)
    except Refused as error:
        if "hash" in str(error).lower():
            raise changed(entry.path) from error
        raise


class WatchedFile:
    """A file being uploaded: exactly as many bytes as the manifest says, told as they go, given up when all are."""

    def __init__(self, stream: BinaryIO, entry: ManifestEntry, progress: Progress, stopped: threading.Event) -> None:
        self._stream, self._entry, self._progress, self._stopped = stream, entry, progress, stopped
        self._position = 0

    def read(self, size: int = -1) -> bytes:
        """As a file's read.

        Raises:
            CannotUpload: the file has shrunk.
            UploadStopped: nobody waits for this upload any more.
        """
        if self._stopped.is_set():
            raise UploadStopped
        left = self._entry.size - self._position
        block = self._stream.read(left if size < 0 else min(size, left))
        if left and not block:
            raise changed(self._entry.path)
        self._position += len(block)
        self._progress(self._position)
        return block

    def close(self) -> None:
        """Lets go of the file."""
        self._stream.close()
