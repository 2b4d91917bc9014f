"""docs/nsml-compatibility.md is held to the tests and commands it names."""

import ast
import re
from pathlib import Path

import pytest

from nsmlctl.cli import COMMANDS

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
TABLE = (ROOT / "docs/nsml-compatibility.md").read_text(encoding="utf-8")
ROWS = [line for line in TABLE.splitlines() if line.startswith("| ") and not line.startswith("| NSML")]


def defined_in(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names |= {f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
    return names


@pytest.mark.parametrize("row", ROWS)
def test_every_row_names_a_test_that_exists(row: str) -> None:
    named = re.findall(r"`((?:\w+/)*test_\w+\.py)::([\w:]+)`", row)
    assert named
    for file, test in named:
        folder = ROOT if "/" in file else HERE
        assert test in defined_in(folder / file), f"{file}::{test}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_row(name: str) -> None:
    words = {word for row in ROWS for code in re.findall(r"`([^`]+)`", row.split("|")[1]) for word in code.split()}
    assert name in words
