"""`nsmlctl login`: to a platform elsewhere."""

from __future__ import annotations

import sys

import click

from nsmlctl import __version__
from nsmlctl.commands.options import GoCommand, examples, historic, json_option
from nsmlctl.config import save_login
from nsmlctl.errors import NotLoggedIn
from nsmlctl.output import echo, echo_json, tell
from nsmlctl.workplace import Workplace, pass_workplace


@click.command(
    cls=GoCommand,
    epilog=examples("nsmlctl login http://host:8080", "echo $TOKEN | nsmlctl login https://nsml.example.org"),
)
@click.argument("url", required=False)
@historic("--username", takes_value=True, sentence="--username: not used; whose login it is, the token says.")
@historic(
    "--password", takes_value=True, sentence="--password: neither used nor sent; `nsmlctl login URL` asks for a token."
)
@historic(
    "-t", "--team", takes_value=True, sentence="-t: there are no teams here; a team shares the account of one name."
)
@historic("-e", "--encoding", takes_value=True, sentence="-e: not needed; everything is UTF-8.")
@json_option
@pass_workplace
def command(place: Workplace, url: str | None, as_json: bool) -> None:
    """Log in to a platform.

    Without URL, as it was typed in NSML, says where one is logged in already.
    The token is asked for, or read from the standard input: `nsmlctl user add` printed it for whoever looks after the platform.
    On the machine where `nsmlctl up` runs, no login is needed.
    """
    if url is None:
        login = place.login()
        _conclude(login.server, place.api().me()["user"], as_json)
        tell("To another platform: nsmlctl login URL")
        return
    server = (url if "://" in url else f"http://{url}").rstrip("/")
    version = str(place.api_of(server, hint="Is the address right, and is the platform running?").platform()["version"])
    if version.split(".")[:2] != __version__.split(".")[:2]:
        tell(f"Warning: the platform is version {version}, this nsmlctl {__version__}: something may not work.")
    token = _ask_token()
    try:
        user = place.api_of(server, token=token).me()["user"]
    except NotLoggedIn as error:
        raise NotLoggedIn(
            f"{server} does not know this token: it is mistyped or was revoked.",
            "Ask whoever looks after the platform for one: `nsmlctl user add NAME` prints it.",
        ) from error
    path = save_login(place.home, server, token)
    _conclude(server, user, as_json)
    tell(f"The token is kept in {path}, readable by you alone.")


def _conclude(server: str, user: str, as_json: bool) -> None:
    if as_json:
        echo_json({"server": server, "user": user})
    else:
        echo(f"Logged in to {server} as {user}")


def _ask_token() -> str:
    """Typed unseen, or the first line of a pipe."""
    if sys.stdin.isatty():
        return str(click.prompt("Token", hide_input=True, err=True)).strip()
    token = sys.stdin.readline().strip()
    if not token:
        raise NotLoggedIn("No token was given.", "Type it when asked, or pipe it in: echo $TOKEN | nsmlctl login URL")
    return token
