"""The console of a session's page: asks the live program as `nsmlctl exec` does, and shows what it says as plain text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form, Response
from fastapi.concurrency import run_in_threadpool

from nsml_server.errors import NotFound, NsmlError, Unauthenticated
from nsml_server.services.conversations import converse
from nsml_server.services.sessions import Reference
from nsml_server.web import logtext, readings
from nsml_server.web.addresses import SESSION, Named, SessionName
from nsml_server.web.routing import PageRoute
from nsml_server.web.visit import FormChecked, Visit

router = APIRouter(route_class=PageRoute, include_in_schema=False)
SHOWN = 64 * 1024  # characters of one answer; `nsmlctl exec` prints it whole
LINES = "list_string"  # what NSML's web apps sent for a program that takes {'data': [[text]]}


@router.post(f"{SESSION}/console")
async def evaluate(visit: FormChecked, name: Named, code: Annotated[str, Form()] = "") -> Response:
    """Evaluate lines of Python in the program's own variables."""
    code = code.replace("\r\n", "\n").strip("\n")
    return await _ask(visit, name, code, {"do": "exec", "code": code})


@router.post(f"{SESSION}/console/infer")
async def infer(
    visit: FormChecked, name: Named, body: Annotated[str, Form()] = "", kind: Annotated[str, Form()] = "json"
) -> Response:
    """Give one input to the bound infer function."""
    body = body.replace("\r\n", "\n")
    return await _ask(visit, name, body, {"do": "infer", **read_body(body, kind)})


@router.post(f"{SESSION}/console/save")
async def save(visit: FormChecked, name: Named, checkpoint: Annotated[str, Form()] = "") -> Response:
    """Let the program save a checkpoint now, under this name."""
    chosen = checkpoint.strip()
    return await _ask(visit, name, f"nsml.save({chosen!r})", {"do": "save", "name": chosen})


def read_body(body: str, kind: str) -> dict[str, Any]:
    """What infer is given: a JSON value, the text as it is, or the text as NSML's list apps sent it."""
    if kind == LINES:
        return {"args": [body], "app_type": LINES}
    if kind == "json":
        try:
            return {"args": [json.loads(body)]}
        except (ValueError, RecursionError):
            return {"args": [body]}  # a bare word is meant as a text
    return {"args": [body]}


async def _ask(visit: Visit, name: SessionName, asked: str, question: Mapping[str, Any]) -> Response:
    try:
        said = await converse(visit.platform, Reference(visit.login, *name, None), question)
    except (NotFound, Unauthenticated):
        raise
    except NsmlError as error:
        said = {"output": None, "error": f"{error}\n{error.hint or ''}".strip()}
    return await run_in_threadpool(_show, visit, name, asked, said)


def _show(visit: Visit, name: SessionName, asked: str, said: Mapping[str, Any]) -> Response:
    values: dict[str, Any] = {
        "asked": as_text(asked),
        "answer": as_text(said.get("output")),
        "fault": as_text(said.get("error")),
    }
    if visit.is_partial:
        return visit.page("console_entry.html", **values)
    return visit.page("console.html", base=readings.address_of("/".join(name)), title="/".join(name), **values)


def as_text(said: Any) -> str:
    """Text as it is, anything else as JSON; without what moves a terminal or turns the direction of writing, and bounded."""
    if said is None:
        return ""
    text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False, indent=2)
    shown = logtext.clean(text.encode("utf-8", "replace")).text
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}\n…"
