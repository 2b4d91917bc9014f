"""`nsmlctl doctor`: what this machine can enforce when it runs boxes."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable

import click

from nsmlctl.commands.options import GoCommand, examples
from nsmlctl.errors import NsmlctlError

NEEDS = ("nsml_worker", "docker", "pynvml")


@click.command(cls=GoCommand, epilog=examples("nsmlctl doctor", "nsmlctl doctor --data /srv/nsml -j"))
@click.option(
    "--data",
    envvar="NSML_WORKER_DATA",
    default=".",
    help="The folder in which boxes are to lie.  [default: NSML_WORKER_DATA, else this one]",
)
@click.option("-j", "--json", "--json-return", "as_json", is_flag=True, help="Print JSON, for scripts.")
def command(data: str, as_json: bool) -> None:
    """Say what this machine can enforce when it runs boxes.

    One line each, ok, weaker or missing, and what to do about it. The exit code is 1 when boxes cannot be sealed at all.
    """
    check_installed(lambda name: importlib.util.find_spec(name) is not None)
    sys.stdout.flush()
    os.execv(sys.executable, doctor_command(data, as_json))  # noqa: S606


def check_installed(is_installed: Callable[[str], bool]) -> None:
    """Raises NsmlctlError when this machine is not one that runs boxes."""
    if not all(map(is_installed, NEEDS)):
        raise NsmlctlError("The worker is not installed here.", "pip install 'nsmlctl[worker]'")


def doctor_command(data: str, as_json: bool) -> list[str]:
    """The program this one becomes."""
    return [sys.executable, "-m", "nsml_worker.doctor", "--data", data, *(["-j"] if as_json else [])]
