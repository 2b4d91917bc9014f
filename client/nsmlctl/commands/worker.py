"""`nsmlctl worker`: this machine runs boxes for a platform."""

from __future__ import annotations

import importlib.util
import os
import sys

import click

from nsmlctl.commands.options import GoCommand, examples
from nsmlctl.errors import NsmlctlError


@click.command(
    cls=GoCommand,
    epilog=examples(
        "nsmlctl worker --server http://platform:8080 --join nsml_…",
        "nsmlctl worker --data /srv/nsml-worker      (later: the folder knows its platform)",
    ),
)
@click.option("--server", help="Address of the platform; needed the first time.")
@click.option("--join", help="A join token, from `nsmlctl node add` on the platform; needed the first time.")
@click.option("--join-file", help="A file that holds the token.")
@click.option("--name", help="What this machine is called.  [default: its host name]")
@click.option("--data", help="Boxes lie in this folder.  [default: ./nsml-worker]")
@click.option("--check", is_flag=True, help="Only say whether the platform hears of this machine.")
def command(check: bool, **valued: str | None) -> None:
    """Add this machine to a platform and run boxes for it.

    With a Docker engine boxes are containers; without, they are sealed as well as the machine can. Ctrl-C stops the worker; its boxes
    go on and are found again by the next start.
    """
    if importlib.util.find_spec("nsml_worker") is None or importlib.util.find_spec("celery") is None:
        raise NsmlctlError("The worker is not installed here.", "pip install 'nsmlctl[worker]'")
    sys.stdout.flush()
    os.execv(sys.executable, worker_command(check, **valued))  # noqa: S606


def worker_command(check: bool, **valued: str | None) -> list[str]:
    """The program this one becomes."""
    words = [f"--{name.replace('_', '-')}={value}" for name, value in valued.items() if value is not None]
    return [sys.executable, "-m", "nsml_worker.joining", *words, *(["--check"] if check else [])]
