"""`nsmlctl ps`: one's own sessions."""

from __future__ import annotations

import click

from nsmlctl.commands.options import examples, json_option
from nsmlctl.output import SESSION_COLUMNS, echo_json, echo_table, right_now, session_row, tell, waiting_text
from nsmlctl.workplace import Workplace, pass_workplace


@click.command(epilog=examples("nsmlctl ps", "nsmlctl ps -a -d kin_phase1", "nsmlctl ps -n 5 -j"))
@click.option("-a", "--all", "every", is_flag=True, help="Also those that ended more than a day ago.")
@click.option("-n", "--last", type=click.IntRange(1), help="Only the N newest.")
@click.option("-d", "--data", "--dataset", "dataset", help="Only those of this dataset.")
@click.option("-s", "--search", help="Only those whose name or description holds this text.")
@json_option
@pass_workplace
def command(
    place: Workplace, every: bool, last: int | None, dataset: str | None, search: str | None, as_json: bool
) -> None:
    """List sessions.

    Newest first; those that wait say why below the table.
    """
    sessions = place.api().sessions(every=every, last=last, dataset=dataset, search=search)
    if as_json:
        echo_json({"sessions": sessions})
        return
    now = right_now()
    echo_table(SESSION_COLUMNS, [session_row(session, now) for session in sessions])
    for session in sessions:
        if waiting := waiting_text(session):
            tell(f"{session['name']}: {waiting}")
