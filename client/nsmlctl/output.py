"""What people see: tables in NSML's columns and order, sizes, times, and JSON for scripts."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

GAP = "  "
SESSION_COLUMNS = ("Name", "Created", "Args", "Status", "Summary", "Description", "# of Models", "Size", "Type")
CHECKPOINT_COLUMNS = ("Checkpoint", "Last Modified", "Elapsed", "Summary", "Size")
BOARD_COLUMNS = ("Owner", "Score", "Submitted", "Session", "Model", "Args")
DATASET_COLUMNS = ("Name", "Size", "Last Modified", "Author", "Description", "Tag")
IMAGE_COLUMNS = ("Image", "Target", "Note")
COLOURS = {"running": "green", "failed": "red", "queued": "yellow", "preparing": "yellow", "zombie": "magenta"}

Json = Mapping[str, Any]


def echo(text: str = "") -> None:
    """A line of the command's result."""
    click.echo(text)


def tell(text: str) -> None:
    """A line to the person beside the result: to stderr, so that a pipe gets the result alone."""
    click.echo(text, err=True)


def echo_json(value: Any) -> None:
    """For scripts; the server's own words."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def echo_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Titles, a line of dashes as wide as each column, rows; everything left-aligned."""
    for line in table_lines(columns, rows):
        click.echo(line)


def table_lines(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Tabulate's "simple" style. Importing tabulate costs more than the rest of `nsmlctl ps`, network included."""
    cells = [[plain(cell) for cell in row] for row in (columns, *rows)]
    widths = [max(width_of(row[i]) for row in cells) for i in range(len(columns))]
    dashes = ["-" * width for width in widths]
    lines = [cells[0], dashes, *cells[1:]]
    return [
        GAP.join(cell + " " * (width - width_of(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def width_of(text: str) -> int:
    """Columns of a terminal: a Korean syllable takes two, a combining mark none, a colour none."""
    if text.isascii() and not isinstance(text, Painted):
        return len(text)
    letters = click.unstyle(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in letters)


class Painted(str):
    """A cell that we coloured ourselves; all others are made plain."""


def plain(text: str) -> str:
    """What others wrote (a memo, a name) cannot move the cursor or colour the terminal."""
    if isinstance(text, Painted) or text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else " " for letter in click.unstyle(text))


def plain_lines(text: str) -> str:
    """The same for what a program printed: lines and tabs stay."""
    return "".join(c for c in click.unstyle(text) if c.isprintable() or c in "\n\t")


def echo_answer(text: object) -> None:
    """What a program answered, ending its line where the program did not."""
    shown = plain_lines(str(text or ""))
    click.echo(shown, nl=bool(shown) and not shown.endswith("\n"))


def painted_status(status: str) -> str:
    """Green, yellow or red where the terminal shows colours."""
    colour = COLOURS.get(status.lower())
    return Painted(click.style(status, fg=colour)) if colour else status


def session_row(session: Json, now: datetime) -> tuple[str, ...]:
    """One line of `ps`."""
    return (
        str(session["name"]),
        ago(session.get("created_at"), now),
        session.get("args") or "",
        painted_status(str(session.get("status", ""))),
        short_summary(with_score(session)),
        description(session),
        str(session.get("checkpoints", 0)),
        size_text(session.get("size", 0)),
        str(session.get("type", "normal")),
    )


def with_score(session: Json) -> Json:
    """What was reported, and the best score that a submit earned; a value that the program calls `score` itself gives way."""
    summary, score = session.get("summary") or {}, session.get("score")
    return summary if score is None else {**summary, "score": float(score)}


def description(session: Json) -> str:
    """What its owner or the platform wrote, and which session a fork or an inference began from where that does not say it."""
    memo, origin = session.get("memo") or "", session.get("origin")
    return ", ".join(filter(None, (memo, f"from {origin}" if origin and origin not in memo else "")))


def checkpoint_row(checkpoint: Json, now: datetime) -> tuple[str, ...]:
    """One line of `model ls`; Elapsed is in seconds since the previous checkpoint or the start."""
    return (
        str(checkpoint["name"]),
        ago(checkpoint.get("saved_at"), now),
        f"{checkpoint.get('elapsed') or 0:.3f}",
        full_summary(checkpoint.get("summary") or {}),
        size_text(checkpoint.get("size", 0)),
    )


def board_row(entry: Json, now: datetime) -> tuple[str, ...]:
    """One line of `dataset board`, best first as the server sorted it."""
    return (
        str(entry["owner"]),
        score_text(entry.get("score")),
        ago(entry.get("submitted_at"), now),
        str(entry.get("session") or ""),
        str(entry.get("checkpoint") or ""),
        entry.get("args") or "",
    )


def dataset_row(dataset: Json, now: datetime) -> tuple[str, ...]:
    """One line of `dataset ls`."""
    return (
        str(dataset["name"]),
        size_text(dataset.get("size", 0)),
        ago(dataset.get("updated_at"), now),
        str(dataset.get("owner") or ""),
        dataset.get("description") or "",
        " ".join(dataset.get("tags") or ()),
    )


def image_row(image: Json) -> tuple[str, ...]:
    """One line of `image ls`."""
    return str(image["name"]), str(image["target"]), str(image.get("note") or "")


def short_summary(summary: Json) -> str:
    """As `ps` shows it: sorted, at most three decimals, without the step."""
    return ", ".join(f"{key}={_rounded(summary[key])}" for key in sorted(summary) if key != "step")


def full_summary(summary: Json) -> str:
    """As `model ls` shows it: everything, as reported."""
    return ", ".join(f"{key}={value}" for key, value in summary.items())


def _rounded(value: Any) -> str:
    return str(round(value, 3)) if isinstance(value, float) else str(value)


def score_text(score: float | None) -> str:
    """Every digit that was computed."""
    return "" if score is None else str(score)


def count_text(count: int, thing: str) -> str:
    """As in `1 file` and `2 files`."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def files_are(count: int, of: str = "") -> str:
    """As in `1 file is` and `2 files of checkpoint best are`."""
    return f"{count_text(count, 'file')}{of} {'is' if count == 1 else 'are'}"


def size_text(size: int) -> str:
    """As in `107.22 MB`."""
    import humanize

    return str(humanize.naturalsize(size, format="%.2f"))


def ago(moment: str | None, now: datetime) -> str:
    """As in `2 minutes ago`; `moment` is ISO 8601 with a zone."""
    if not moment:
        return ""
    import humanize

    then = datetime.fromisoformat(moment)
    seconds = (now - then).total_seconds()
    if seconds < 60:
        return "just now" if seconds < 10 else "seconds ago"
    return str(humanize.naturaltime(then, when=now))


def right_now() -> datetime:
    """The clock the ages are told by."""
    return datetime.now(UTC)


def use_text(use: Json | None) -> str:
    """What a session uses now, as far as its machine tells: memory, processors, each of its GPUs; empty when it tells nothing."""
    told = use or {}
    parts = [f"{size_text(told['memory'])} of memory"] if told.get("memory") is not None else []
    if told.get("cpu") is not None:
        parts.append(f"{told['cpu']:.1f} CPUs")
    parts += [f"GPU {number} {busy} %" for number, busy in enumerate(told.get("gpu_utilisation") or ())]
    return ", ".join(parts)


def waiting_text(waiter: Json) -> str | None:
    """Why a session or a submit waits, in the server's words, or None when it does not."""
    waiting = waiter.get("waiting")
    return plain(str(waiting["text"])) if waiting and waiting.get("text") else None
