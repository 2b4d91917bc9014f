"""A question to a live program and its answer, as one call: what `nsmlctl exec` and the console of a page both use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool

from nsml_server.services import questions, specs
from nsml_server.services.platform import Platform
from nsml_server.services.polling import wait_for
from nsml_server.services.sessions import Reference
from nsml_worker.contract import RunKind


async def converse(platform: Platform, named: Reference, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Ask, wait for at most questions.PATIENCE seconds, and forget the question: {"output", "error", "exit_code"}.

    Raises:
        NotFound: there is no such session of the asker's.
        Conflict: the program does not run, does not listen, or did not answer.
        Invalid, TooLarge, RateLimited: see `questions.ask`.
    """
    name, kind, number = await run_in_threadpool(_send, platform, named, asked)
    try:
        said = await wait_for(platform, questions.topic_of(number), questions.PATIENCE, lambda: _read(platform, number))
    finally:
        await run_in_threadpool(_forget, platform, number)
    return questions.conclude(name, kind, said)


def _send(platform: Platform, named: Reference, asked: Mapping[str, Any]) -> tuple[str, RunKind, int]:
    with platform.database.write() as tx:
        session = named.find(tx)
        return str(specs.name_of(session)), session.run.kind, questions.ask(platform, tx, session, asked)


def _read(platform: Platform, number: int) -> dict[str, Any] | None:
    with platform.database.read() as tx:
        return questions.read(tx, number)


def _forget(platform: Platform, number: int) -> None:
    with platform.database.write() as tx:
        questions.forget(tx, number)
