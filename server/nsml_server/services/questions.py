"""What people ask of programs that run: stored, fetched once by the worker that has the box, answered, forgotten.

What comes back was made by the participant's own program: it is bounded and shown to that participant, and means nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from nsml_server.domain.states import RunState
from nsml_server.errors import Conflict, Invalid, NsmlError, RateLimited, TooLarge
from nsml_server.services import checkpoints, specs
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.repositories import questions
from nsml_server.storage.tables import Node, Question, Session
from nsml_worker.contract import RunKind

PATIENCE = 30.0  # seconds in which a program has to answer
MAX_QUESTION = 2**20  # bytes as JSON
MAX_ANSWER = 4 * 2**20  # bytes as JSON
MAX_OPEN = 4  # questions of one session at a time
_NEEDED = {"exec": "code", "sh": "argv", "save": "name"}


def ask(platform: Platform, tx: WriteTransaction, session: Session, asked: Mapping[str, Any]) -> int:
    """Send a question on its way; returns its number.

    Raises:
        Conflict: the program is not running.
        Invalid, TooLarge: it is no question.
        RateLimited: several wait for an answer already.
    """
    _check(asked)
    run, name = session.run, specs.name_of(session)
    if run.state not in (RunState.RUNNING, RunState.PAUSED) or run.node_id is None:
        raise Conflict(
            f"{name} cannot be asked: it is {run.state}.",
            hint=_how_to_ask(tx, session),
            code="not_running",
        )
    if questions.count_open(tx, run.id) >= MAX_OPEN:
        raise RateLimited(f"{name} is still busy with {MAX_OPEN} other questions.")
    row = Question(
        node_id=run.node_id, run_id=run.id, attempt=run.attempt, asked=dict(asked), created_at=platform.now()
    )
    tx.add(row)
    tx.flush()
    platform.tell(tx, topic_of_node(run.node_id))
    return row.id


def _how_to_ask(tx: ReadTransaction, session: Session) -> str:
    if not session.run.state.is_final and session.run.state is not RunState.STOPPING:
        return "Wait until it runs."
    source = checkpoints.served_by(tx, session)
    if source or checkpoints.of_session(tx, session):
        return f"Start one from its checkpoint: `nsmlctl infer {source or specs.name_of(session)}`."
    return session.run.message or "It saved no checkpoint to start one from; run it again."


def has_waiting(tx: ReadTransaction, node: Node) -> bool:
    """Whether there is anything to fetch."""
    return bool(questions.waiting(tx, node.id))


def take(platform: Platform, tx: WriteTransaction, node: Node) -> list[dict[str, Any]]:
    """What a worker is to ask of its boxes; each is given out once."""
    waiting = questions.waiting(tx, node.id)
    taken = questions.take(tx, [row.id for row in waiting], platform.now()) if waiting else set()
    return [
        {"id": row.id, "run": row.run_id, "attempt": row.attempt, "asked": row.asked}
        for row in waiting
        if row.id in taken
    ]


def answer(platform: Platform, tx: WriteTransaction, node: Node, number: int, said: Mapping[str, Any]) -> None:
    """What a worker brings back: {"answer": …} as the program gave it, or {"fault": why there is none}."""
    kept = {"fault": str(said.get("fault"))} if said.get("fault") else {"answer": _clean(said.get("answer"))}
    if questions.answer(tx, number, node.id, kept):
        platform.tell(tx, topic_of(number))


def read(tx: ReadTransaction, number: int) -> dict[str, Any] | None:
    """The answer; None while there is none."""
    row = questions.of_id(tx, number)
    return None if row is None else row.answer


def forget(tx: WriteTransaction, number: int) -> None:
    """Nobody waits any more."""
    questions.remove(tx, number)


def conclude(session: str, kind: RunKind, said: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the asker is told: {"output", "error", "exit_code"}.

    Raises:
        Conflict: the program did not answer, and why.
    """
    if said is None:
        raise _no_answer(session)
    if "fault" not in said:
        return dict(said["answer"])
    raise _no_console(session, kind) if said["fault"] == "no_console" else _no_answer(session)


def topic_of_node(node_id: int) -> str:
    """Told when there is something to fetch."""
    return f"questions:{node_id}"


def topic_of(number: int) -> str:
    """Told when there is an answer."""
    return f"question:{number}"


def _check(asked: Mapping[str, Any]) -> None:
    needed = _NEEDED.get(asked["do"])
    if needed is not None and not asked.get(needed):
        raise Invalid(f'To {asked["do"]} needs "{needed}".', hint=f'Send "{needed}" too.')
    if len(orjson.dumps(asked)) > MAX_QUESTION:
        raise TooLarge(f"A question may hold {MAX_QUESTION:,} bytes.", hint="Send less at once.")


def _clean(said: Any) -> dict[str, Any]:
    told = said if isinstance(said, dict) else {}
    error, exit_code = told.get("error"), told.get("exit_code")
    return {
        "output": told.get("output"),
        "error": error if isinstance(error, str) else None,
        "exit_code": exit_code if type(exit_code) is int else None,
    }


def _no_console(session: str, kind: RunKind) -> NsmlError:
    if kind is RunKind.SERVE:
        return Conflict(
            f"{session} does not listen yet: it has not called `nsml.paused`.",
            hint=f"Wait a moment; `nsmlctl logs {session}` shows how far it is.",
            code="no_console",
        )
    return Conflict(
        f"{session} does not listen: a program can be asked once it has given its scope.",
        hint="Call `nsml.report(scope=locals())` or `nsml.paused(scope=locals())` in it.",
        code="no_console",
    )


def _no_answer(session: str) -> NsmlError:
    return Conflict(
        f"{session} did not answer within {PATIENCE:.0f} seconds.",
        hint="Ask for something that takes less time, or see whether it still runs.",
        code="no_answer",
    )
