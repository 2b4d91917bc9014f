"""`nsmlctl logs`: what a session printed."""

from __future__ import annotations

from collections.abc import Callable

import click

from nsmlctl.api import Api
from nsmlctl.commands.options import GoCommand, examples, json_option, silent
from nsmlctl.errors import Failed
from nsmlctl.following import Json, Pause, follow_log
from nsmlctl.output import echo_json, plain, tell, waiting_text
from nsmlctl.references import SessionReference, parse_session
from nsmlctl.workplace import Workplace, pass_workplace


@click.command(
    cls=GoCommand, epilog=examples("nsmlctl logs session/1", "nsmlctl logs -f kin_phase1/3", "nsmlctl logs 3 > log.txt")
)
@click.argument("session")
@click.option(
    "-f", "--follow", is_flag=True, help="Go on until the session is over. Ctrl-C leaves the log, not the session."
)
@silent("--hide-client-log")
@json_option
@pass_workplace
def command(place: Workplace, session: str, follow: bool, as_json: bool) -> None:
    """Print what a session printed.

    With -f the exit code tells how the session ended: 1 when it failed. With -j the log comes as one text, at its end.
    """
    api, reference = place.api(), place.session(session)
    kept: list[bytes] = []
    write = kept.append if as_json else _write
    ended = _follow(api, reference, write, place.pause) if follow else None
    written = 0
    if not follow:
        for chunk in api.log(reference):
            write(chunk)
            written += len(chunk)
    if not as_json and not ended and not written:
        _tell_silence(api.session(reference))
    if as_json:
        echo_json({"log": b"".join(kept).decode("utf-8", "replace")})
    if ended:
        _conclude(ended)


def _follow(api: Api, reference: SessionReference, write: Callable[[bytes], None], pause: Pause) -> Json:
    """The session as it ended; Ctrl-C leaves it and says how to look again."""
    name = str(api.session(reference)["name"])
    full = parse_session(name)
    try:
        follow_log(api, full, write, pause)
    except KeyboardInterrupt:
        tell(f"\nSession {name} goes on. To look again: nsmlctl logs -f {name}; to stop it: nsmlctl stop {name}")
        raise
    return api.session(full)


def _tell_silence(session: Json) -> None:
    """An empty log looks like one that was not found."""
    why = session.get("message") or waiting_text(session) or f"it is {str(session['status']).lower()}"
    tell(f"Session {session['name']} has printed nothing: {plain(str(why))}")


def _conclude(ended: Json) -> None:
    if ended["state"] == "failed":
        raise Failed(f"Session {ended['name']} failed: {ended.get('message') or ended.get('reason')}")
    tell(f"Session {ended['name']}: {ended['status']}")


def _write(chunk: bytes) -> None:
    click.echo(chunk, nl=False)
