"""Answers that are held back until there is something to say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

from nsml_server.services.platform import Platform

Found = TypeVar("Found")
LOOK = 1.0  # seconds after which one looks again: a notice tells of this process only, and there may be others


async def wait_for(platform: Platform, topic: str, seconds: float, look: Callable[[], Found | None]) -> Found | None:
    """What `look` finds, as soon as it finds anything; None after so many seconds, or when the server goes down."""
    clock = asyncio.get_running_loop().time
    end = clock() + seconds
    while True:
        seen = platform.notices.version(topic)
        found = await run_in_threadpool(look)
        left = end - clock()
        if found or left <= 0 or platform.notices.is_closed:
            return found
        await platform.notices.wait_at_most(min(left, LOOK), topic, seen)
