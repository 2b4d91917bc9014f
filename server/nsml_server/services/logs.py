"""A session's log: read at an offset, or followed until nothing more can come."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool

from nsml_server.errors import Unavailable
from nsml_server.services import runs
from nsml_server.services.attempts import LOG
from nsml_server.services.platform import Platform

CHUNK = 2**20  # bytes read at a time
# A notice may be lost, so a follower looks by itself this often.
LOOK = 15.0  # seconds


async def read_from(platform: Platform, run_id: int, offset: int) -> AsyncIterator[bytes]:
    """All there is now, from this byte on."""
    while data := await run_in_threadpool(platform.streams.read, run_id, LOG, offset, CHUNK):
        offset += len(data)
        yield data


async def follow(platform: Platform, run_id: int, offset: int) -> AsyncIterator[bytes]:
    """All there is and all that comes, until the run has ended.

    Raises:
        Unavailable: the server goes down, and more may come: the follower comes back with its offset.
    """
    topic, over = f"stream:{run_id}:{LOG}", False
    while True:
        seen = platform.notices.version(topic)
        came = False
        async for data in read_from(platform, run_id, offset):
            offset, came = offset + len(data), True
            yield data
        if came:
            continue
        if over:
            return
        # Looked at after all was read: what was written before the end is read in one more round.
        over = await run_in_threadpool(is_over, platform, run_id)
        if platform.notices.is_closed and not over:
            raise Unavailable("The server goes down.")
        if not over:
            await platform.notices.wait_at_most(LOOK, topic, seen)


def is_over(platform: Platform, run_id: int) -> bool:
    """Whether nothing more will be written: the state is final only after all bytes have arrived."""
    with platform.database.read() as tx:
        return runs.find(tx, run_id).state.is_final
