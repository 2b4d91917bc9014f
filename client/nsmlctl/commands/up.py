"""`nsmlctl up`: becomes the platform of this machine."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

from nsmlctl.commands.options import GoCommand, examples
from nsmlctl.errors import NsmlctlError

# The server, and what only `pip install 'nsmlctl[all]'` brings.
NEEDS = ("nsml_server", "nsml_worker", "fastapi", "uvicorn", "celery", "sqlalchemy")


@click.command(cls=GoCommand, epilog=examples("nsmlctl up", "nsmlctl up --data /srv/nsml --port 80 --host 0.0.0.0"))
@click.option("--data", default="nsml-data", help="Everything lies in this folder.  [default: ./nsml-data]")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="The address to listen on; 0.0.0.0 is all of them."
)
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
def command(data: str, host: str, port: int) -> None:
    """Start a platform on this machine.

    Server and worker, with nothing to install. Ctrl-C stops them; sessions go on and are found again by the next `nsmlctl up`.
    """
    check_installed(lambda name: importlib.util.find_spec(name) is not None)
    sys.stdout.flush()
    os.execv(sys.executable, server_command(data, host, port))  # noqa: S606


def check_installed(is_installed: Callable[[str], bool]) -> None:
    """Raises NsmlctlError when this is the participant's installation."""
    if not all(map(is_installed, NEEDS)):
        raise NsmlctlError("The platform itself is not installed here.", "pip install 'nsmlctl[all]'")


def server_command(data: str, host: str, port: int) -> list[str]:
    """The program this one becomes."""
    folder = str(Path(data).absolute())
    return [sys.executable, "-m", "nsml_server.embedded", "--data", folder, "--host", host, "--port", str(port)]
