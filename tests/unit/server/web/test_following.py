"""Followers hear of every topic they follow, of nothing else, and end with the server."""

import asyncio

from nsml_server.services.notices import Notices
from nsml_server.web.following import Following


def test_all_topics_are_new_at_first_and_then_only_what_changed() -> None:
    async def follow() -> list[frozenset[str]]:
        notices = Notices()
        rounds = aiter(Following(notices, ["a", "b"], pause=0))
        heard = [await anext(rounds)]
        notices.publish("b")
        heard.append(await anext(rounds))
        notices.publish("elsewhere")
        notices.publish("a")
        heard.append(await anext(rounds))
        return heard

    assert asyncio.run(follow()) == [{"a", "b"}, {"b"}, {"a"}]


def test_what_happened_between_two_rounds_is_heard_in_the_next() -> None:
    async def follow() -> frozenset[str]:
        notices = Notices()
        rounds = aiter(Following(notices, ["a", "b"], pause=0))
        await anext(rounds)
        notices.publish("a")
        notices.publish("b")
        return await anext(rounds)

    assert asyncio.run(follow()) == {"a", "b"}


def test_a_topic_may_be_added_and_dropped_on_the_way() -> None:
    async def follow() -> list[frozenset[str]]:
        notices = Notices()
        following = Following(notices, ["a"], pause=0)
        rounds = aiter(following)
        await anext(rounds)
        following.add("submission:1")
        notices.publish("submission:1")
        heard = [await anext(rounds)]
        following.drop("submission:1")
        notices.publish("submission:1")
        notices.publish("a")
        heard.append(await anext(rounds))
        return heard

    assert asyncio.run(follow()) == [{"submission:1"}, {"a"}]


def test_followers_end_when_the_server_goes_down() -> None:
    async def follow() -> list[frozenset[str]]:
        notices = Notices()
        asyncio.get_running_loop().call_soon(notices.close)
        return [news async for news in Following(notices, ["a"], pause=0)]

    assert asyncio.run(follow()) == [{"a"}]
