"""Asking a program that runs: what NSML called exec, sh and infer."""

from __future__ import annotations

from fastapi import APIRouter

from nsml_server.api.answers import Json
from nsml_server.api.callers import ThePlatform
from nsml_server.api.schemas import Ask
from nsml_server.api.sessions import ONE, TheSession
from nsml_server.services.conversations import converse

router = APIRouter(tags=["sessions"])


@router.post(f"{ONE}/ask")
async def ask(platform: ThePlatform, named: TheSession, asked: Ask) -> Json:
    """Ask the live program: `exec` code in its scope, `infer` with its model, `sh` a command beside it, `save` a checkpoint."""
    return Json(await converse(platform, named, asked.model_dump(exclude_unset=True)))
