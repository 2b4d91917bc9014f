"""Asking a program that runs: what NSML called exec, sh and infer."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from nsml_server.api.answers import Json
from nsml_server.api.callers import ThePlatform
from nsml_server.api.polling import wait_for
from nsml_server.api.schemas import Ask
from nsml_server.api.sessions import ONE, TheSession
from nsml_server.services import questions, specs
from nsml_server.services.platform import Platform
from nsml_server.services.sessions import Reference
from nsml_worker.contract import RunKind

router = APIRouter(tags=["sessions"])


@router.post(f"{ONE}/ask")
async def ask(platform: ThePlatform, named: TheSession, asked: Ask) -> Json:
    """Ask the live program: `exec` code in its scope, `infer` with its model, `sh` a command beside it, `save` a checkpoint."""
    name, kind, number = await run_in_threadpool(_send, platform, named, asked.model_dump(exclude_unset=True))
    try:
        said = await wait_for(platform, questions.topic_of(number), questions.PATIENCE, lambda: _read(platform, number))
    finally:
        await run_in_threadpool(_forget, platform, number)
    return Json(questions.conclude(name, kind, said))


def _send(platform: Platform, named: Reference, asked: dict[str, Any]) -> tuple[str, RunKind, int]:
    with platform.database.write() as tx:
        session = named.find(tx)
        return str(specs.name_of(session)), session.run.kind, questions.ask(platform, tx, session, asked)


def _read(platform: Platform, number: int) -> dict[str, Any] | None:
    with platform.database.read() as tx:
        return questions.read(tx, number)


def _forget(platform: Platform, number: int) -> None:
    with platform.database.write() as tx:
        questions.forget(tx, number)
