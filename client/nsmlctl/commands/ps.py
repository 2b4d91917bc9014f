"""`nsmlctl ps`: one's own sessions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from nsmlctl.commands.options import GoCommand, examples, json_option
from nsmlctl.output import (
    SESSION_COLUMNS,
    echo,
    echo_json,
    echo_table,
    plain,
    right_now,
    session_row,
    tell,
    use_text,
    waiting_text,
)
from nsmlctl.submissions import how_to_cancel, open_of, title
from nsmlctl.workplace import Workplace, pass_workplace


@click.command(cls=GoCommand, epilog=examples("nsmlctl ps", "nsmlctl ps -a -d kin_phase1", "nsmlctl ps -n 5 -j"))
@click.option("-a", "--all", "every", is_flag=True, help="Also those that ended more than a day ago.")
@click.option("-n", "--last", type=click.IntRange(1), help="Only the N newest.")
@click.option("-d", "--data", "--dataset", "dataset", help="Only those of this dataset.")
@click.option("-s", "--search", help="Only those whose name or description holds this text.")
@click.option("-q", "--names-only", is_flag=True, help="The names alone, one a line.")
@click.option("-v", "--verbose", is_flag=True, help="Below the table, what each uses now, or why it ended badly.")
@json_option
@pass_workplace
def command(place: Workplace, /, every: bool, names_only: bool, verbose: bool, as_json: bool, **filters: Any) -> None:
    """List sessions.

    Newest first. Below the table: why some wait, and submits that go on.
    """
    sessions = place.api().sessions(every=every, **filters)
    if as_json:
        echo_json({"sessions": sessions})
        return
    if names_only:
        for session in sessions:
            echo(str(session["name"]))
        return
    now = right_now()
    echo_table(SESSION_COLUMNS, [session_row(session, now) for session in sessions])
    if not sessions and not every and not any(filters.values()):
        tell("No session goes on or ended within a day. `nsmlctl ps -a` lists older ones, `nsmlctl run` starts one.")
    for session in sessions:
        if waiting := waiting_text(session):
            tell(f"{session['name']}: {waiting}")
        elif verbose:
            for line in _more_of(session):
                tell(f"{session['name']}: {line}")
        for submission in open_of(session):
            told = f"{title(submission)} of checkpoint {plain(str(submission['checkpoint']))} is {submission['state']}"
            tell(f"{session['name']}: {told}; to end it: {how_to_cancel(session['name'])}")


def _more_of(session: dict[str, Any]) -> Iterator[str]:
    if using := use_text(session.get("use")):
        yield f"uses {using}"
    if session.get("message"):
        yield plain(str(session["message"]))
