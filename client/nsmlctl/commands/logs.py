"""`nsmlctl logs`: what a session printed."""

from __future__ import annotations

import click

from nsmlctl.commands.options import examples, silent
from nsmlctl.errors import Failed
from nsmlctl.following import follow_log
from nsmlctl.output import tell
from nsmlctl.references import parse_session
from nsmlctl.workplace import Workplace, pass_workplace


@click.command(epilog=examples("nsmlctl logs session/1", "nsmlctl logs -f kin_phase1/3", "nsmlctl logs 3 > log.txt"))
@click.argument("session")
@click.option(
    "-f", "--follow", is_flag=True, help="Go on until the session is over. Ctrl-C leaves the log, not the session."
)
@silent("--hide-client-log")
@pass_workplace
def command(place: Workplace, session: str, follow: bool) -> None:
    """Print what a session printed.

    With -f the exit code tells how the session ended: 1 when it failed.
    """
    api, reference = place.api(), place.session(session)
    if not follow:
        for chunk in api.log(reference):
            _write(chunk)
        return
    name = str(api.session(reference)["name"])
    full = parse_session(name)
    try:
        follow_log(api, full, _write, place.pause)
    except KeyboardInterrupt:
        tell(f"\nSession {name} goes on. To look again: nsmlctl logs -f {name}; to stop it: nsmlctl stop {name}")
        raise
    ended = api.session(full)
    if ended["state"] == "failed":
        raise Failed(f"Session {name} failed: {ended.get('message') or ended.get('reason')}")
    tell(f"Session {name}: {ended['status']}")


def _write(chunk: bytes) -> None:
    click.echo(chunk, nl=False)
