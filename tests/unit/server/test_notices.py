"""News reach those who wait, from any thread, and nobody is left waiting."""

import asyncio
import threading
from typing import Any

from nsml_server.services import notices
from nsml_server.services.notices import Notices


def test_whoever_waits_hears_of_a_change_made_in_another_thread() -> None:
    async def follow() -> bool:
        news = Notices()
        seen = news.version("board:kin")
        asyncio.get_running_loop().call_soon(lambda: threading.Thread(target=news.publish, args=("board:kin",)).start())
        return await news.wait("board:kin", seen) != seen

    assert asyncio.run(follow())


def test_what_changed_before_the_wait_is_not_missed() -> None:
    async def follow() -> bool:
        news = Notices()
        seen = news.version("a")
        news.publish("a")
        return await news.wait("a", seen) != seen

    assert asyncio.run(follow())


def test_another_topic_wakes_nobody() -> None:
    async def follow() -> bool:
        news = Notices()
        seen = news.version("a")
        news.publish("b")
        return await news.wait_at_most(0.01, "a", seen) == seen

    assert asyncio.run(follow())


def test_all_go_home_when_the_server_goes_down() -> None:
    async def follow() -> list[int]:
        news = Notices()
        waiting = [asyncio.ensure_future(news.wait("a", 0)) for _ in range(50)]
        await asyncio.sleep(0)
        news.close()
        return await asyncio.gather(*waiting)

    assert asyncio.run(follow()) == [0] * 50


def test_a_loop_that_closes_meanwhile_disturbs_neither_the_publisher_nor_the_others() -> None:
    class Closing:
        def is_closed(self) -> bool:
            return False  # it was not, a moment ago

        def call_soon_threadsafe(self, _: Any) -> None:
            raise RuntimeError("Event loop is closed")

    async def follow() -> bool:
        news = Notices()
        gone: Any = Closing()
        news._waiting["a"].add((gone, asyncio.Event()))
        waiting = asyncio.ensure_future(news.wait("a", 0))
        await asyncio.sleep(0)
        news.publish("a")
        return await waiting != 0

    assert asyncio.run(asyncio.wait_for(follow(), 5))


def test_a_topic_that_was_forgotten_counts_as_changed() -> None:
    news = Notices()
    news.publish("old")
    seen = news.version("old")
    for number in range(notices.REMEMBERED + 1):
        news.publish(f"topic {number}")
    assert news.version("old") >= seen
    assert len(news._versions) == notices.REMEMBERED
