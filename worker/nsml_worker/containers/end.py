"""How a box ended: decided from what the engine says, what we did, and what the box itself noted. Touches nothing.

The engine's word counts. What the box noted was written by the program's own user: it only chooses among reasons that are
the program's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nsml_worker.box import LAST_SIGNAL, SIGNAL_STATUS
from nsml_worker.contract import EndReason, Limits

SIGKILL, SIGTERM = 9, 15
CRASHED = 255  # an engine's code for a container of which it did not see the end
REACH = 10.0  # seconds in which a box has reached its program, or never will
LOST = "The Docker engine or the machine was restarted under it."
GONE = "Its container is gone; somebody removed it."


@dataclass(frozen=True)
class State:
    """A container that has ended, as the engine inspected it. Times are unix seconds."""

    exit_code: int
    out_of_memory: bool
    started_at: float
    finished_at: float
    error: str = ""
    memory: int = 0  # bytes it might use; 0: no limit


@dataclass(frozen=True)
class Asked:
    """What we asked of a box: to end, why, and when."""

    cause: EndReason
    at: float


@dataclass(frozen=True)
class Note:
    """What the keeper noted. `status` is None when it wrote nothing; `asked`: somebody asked the box to end; `reached`: it came
    to the program.
    """

    reached: bool = False
    status: int | None = None
    asked: bool = False
    want: str = ""
    crowded: bool = False
    killed: bool = False
    peak_memory: int = 0  # bytes
    cpu_seconds: float = 0.0


@dataclass(frozen=True)
class Facts:
    """All there is to decide from. `state` is None when there is no such container any more."""

    state: State | None
    asked: Asked | None
    note: Note
    want: str  # what the disk had nothing left of, as the worker saw it
    seen: bool  # the engine answered when it ended, and still does
    limits: Limits
    disk: int  # bytes


def read_state(inspected: Mapping[str, Any] | None) -> State | None:
    """The end of a container; None when there is no container, or it was never started."""
    state = (inspected or {}).get("State") or {}
    if not state or state.get("Status") == "created":
        return None
    started_at = parse_time(state.get("StartedAt", ""))
    return State(
        exit_code=int(state.get("ExitCode", 0)),
        out_of_memory=bool(state.get("OOMKilled")),
        started_at=started_at,
        finished_at=max(started_at, parse_time(state.get("FinishedAt", ""))),
        error=str(state.get("Error", "")),
        memory=int(((inspected or {}).get("HostConfig") or {}).get("Memory") or 0),
    )


def parse_time(text: str) -> float:
    """Unix seconds of what the engine writes, to the microsecond; 0 when it is no time."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    try:
        return datetime.fromisoformat(f"{whole}.{fraction[:6].ljust(6, '0')}").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def read_note(facts: Mapping[str, str], reached: bool) -> Note:
    """What the keeper wrote, as far as it makes sense."""
    numbers = {name: int(value) for name, value in facts.items() if _is_number(value)}
    return Note(
        reached=reached,
        status=numbers.get("status"),
        asked=numbers.get("asked", 0) > 0,
        want=facts.get("disk", "") if facts.get("disk") in ("room", "files") else "",
        crowded=numbers.get("pids", 0) > 0,
        killed=numbers.get("killed", 0) > 0,
        peak_memory=max(0, numbers.get("peak_memory", 0)),
        cpu_seconds=max(0, numbers.get("processor", 0)) / 1e6,
    )


def judge(facts: Facts) -> list[tuple[str, str]]:
    """The fields of a box's exit file."""
    state = facts.state
    if state is None:
        return _fields(None, EndReason.BOX_LOST, GONE, 0.0, facts.note)
    status = find_status(state, facts.note)
    cause, detail = find_cause(facts, state, status)
    return _fields(status, cause, detail, state.finished_at - state.started_at, facts.note)


def find_status(state: State, note: Note) -> int:
    """The program's exit code, or minus its signal. Only the keeper can tell `exit 137` from a kill."""
    number = state.exit_code - SIGNAL_STATUS
    if note.status == state.exit_code or not 0 < number <= LAST_SIGNAL:
        return state.exit_code
    return -number


def find_cause(facts: Facts, state: State, status: int) -> tuple[EndReason | None, str]:
    """Why a box ended, where that is more than what its program returned, and a sentence about it."""
    asked, limits = facts.asked, facts.limits
    if asked is not None and (facts.note.status is None or asked.at <= state.finished_at):
        return asked.cause, describe_disk("room", facts.disk) if asked.cause is EndReason.DISK_FULL else ""
    if not facts.seen and (facts.note.status is None or facts.note.asked):
        return EndReason.BOX_LOST, LOST
    if state.out_of_memory or (facts.note.killed and status):
        return EndReason.OUT_OF_MEMORY, describe_memory(state.memory, status)
    if is_stillborn(state, facts.note):
        return EndReason.NODE_ERROR, f"Its Python could not start the program (exit code {state.exit_code})."
    if status and facts.note.crowded:
        return EndReason.TOO_MANY_PROCESSES, f"It may have {limits.processes:,} processes and threads at a time."
    want = facts.want or facts.note.want
    if status and want:
        return EndReason.DISK_FULL, describe_disk(want, facts.disk)
    return None, ""


def is_stillborn(state: State, note: Note) -> bool:
    """Whether a box ended before its program: ours. A program can take the notes away, but not the time it has had."""
    is_short = state.finished_at - state.started_at < REACH
    return is_short and state.exit_code != 0 and note.status is None and not note.reached


def describe_memory(limit: int, status: int) -> str:
    """A sentence with the limit in it."""
    bound = f"the box's memory of {describe_size(limit)}" if limit else "this machine's memory"
    if status == -SIGKILL:
        return f"The program was ended at {bound}."
    return f"A process the program had started was ended at {bound}; the program itself went on."


def describe_disk(want: str, disk: int) -> str:
    """A sentence with the limit in it."""
    if want == "files":
        return (
            f"The box's disk of {describe_size(disk)} has no place for another file; the code, /tmp and /nsml share it."
        )
    return f"The box's disk of {describe_size(disk)} is full; the code, /tmp and /nsml share it."


def describe_size(size: int) -> str:
    """ "1.5 GiB" of bytes."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if size >= unit:
            return f"{size / unit:.1f}".removesuffix(".0") + f" {name}"
    return f"{size} bytes"


def _fields(
    status: int | None, cause: EndReason | None, detail: str, seconds: float, note: Note
) -> list[tuple[str, str]]:
    facts = [
        ("cause", cause.value if cause is not None else ""),
        ("detail", detail),
        ("wall_seconds", str(seconds)),
        ("cpu_seconds", str(note.cpu_seconds)),
        ("peak_memory", str(note.peak_memory)),
    ]
    return facts if status is None else [("status", str(status)), *facts]


def _is_number(text: str) -> bool:
    return len(text) <= 18 and text.removeprefix("-").isdecimal() and text.isascii()
