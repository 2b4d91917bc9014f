"""Files and functions stay small enough to be read at one sitting."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAX_FILE = 320  # lines
MAX_FUNCTION = 60  # lines
SOURCES = [
    path
    for folder in ("server", "worker", "client", "sdk")
    for path in (ROOT / folder).rglob("*.py")
    if "migrations/versions" not in path.as_posix()
]


def functions() -> Iterator[tuple[str, int]]:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1


def test_no_file_is_longer_than_a_few_screens() -> None:
    lengths = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8").count("\n") for path in SOURCES}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FILE} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    assert [f"{name}: {lines}" for name, lines in functions() if lines > MAX_FUNCTION] == []


def test_most_functions_are_a_few_lines() -> None:
    lengths = sorted(lines for _, lines in functions())
    assert statistics.median(lengths) <= 8
    assert lengths[int(len(lengths) * 0.95)] <= 40
