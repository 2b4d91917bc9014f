"""A hint that names a command names one that is there, with options it has."""

import re
import shlex
from pathlib import Path

import click
import pytest

from nsmlctl.cli import nsmlctl

ROOT = Path(__file__).parents[2]
SOURCES = ("server", "worker", "client", "sdk", "docs", "README.md", "docker")
TYPED = re.compile(r"`nsml(?:ctl)? ([^`{}]+)`")
LAID_OUT = re.compile(r"^    (?:docker compose exec (?:-T )?\w+ )?(?:\S*/)?nsmlctl ([a-z][^#|\n]*)", re.MULTILINE)
SUFFIXES = {".py", ".html", ".md", ".po", ".sh", ".service"}


def find_lines() -> dict[str, str]:
    """What is typed after `nsmlctl`, and one file that says so."""
    found: dict[str, str] = {}
    for source in SOURCES:
        top = ROOT / source
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.suffix in SUFFIXES and "decisions" not in path.parts:
                text = path.read_text()
                lines = TYPED.findall(text) + (LAID_OUT.findall(text) if path.suffix == ".md" else [])
                found.update({line.strip(): str(path.relative_to(ROOT)) for line in lines})
    return found


LINES = find_lines()


def test_there_are_hints_to_look_at() -> None:
    assert len(LINES) > 50


@pytest.mark.parametrize("line", sorted(LINES))
def test_a_command_that_is_named_is_there_with_its_options(line: str) -> None:
    words = shlex.split(line, posix=True) if line.count("'") % 2 == 0 else line.split()
    if words[0] in ("…", "--help", "-h", "--version"):
        return
    command: click.Command = nsmlctl
    context = click.Context(nsmlctl)
    while isinstance(command, click.Group) and words and re.fullmatch(r"[a-z]+", words[0]):
        inner = command.get_command(context, words.pop(0))
        assert inner is not None, f"{LINES[line]} names `nsmlctl {line}`"
        command, context = inner, click.Context(inner, parent=context)
    known = {option for each in command.get_params(context) for option in (*each.opts, *each.secondary_opts)}
    for word in words:
        option = word.partition("=")[0].rstrip(",.;:)")
        if re.fullmatch(r"-[a-zA-Z]|--[a-z-]+", option):
            assert option in known, f"{LINES[line]} names `nsmlctl {line}`"
