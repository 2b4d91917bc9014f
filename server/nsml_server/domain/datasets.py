"""What the files of a dataset must say. Nothing of them is run here: Python is parsed, labels are decoded."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from nsml_server.domain.ranking import CUSTOM
from nsml_server.domain.trees import EVALUATION, LOADER, TEST_LABEL
from nsml_server.errors import Invalid

MAX_SOURCE = 2**20  # bytes of a file we parse
_DRIVERS = ("feed_infer", "test_data_loader")


def check_contents(read: Callable[[str], bytes | None], metric: str) -> None:
    """Checks data_loader.py, evaluation.py and the labels of a leaderboard dataset.

    `read` gives a file's bytes, or None when there is no such file (test/test_label may be a folder).

    Raises:
        Invalid: names the file and, where it is Python, the line.
    """
    loader = _parse(LOADER, read(LOADER) or b"")
    if not set(_DRIVERS) & set(_defined_names(loader)):
        raise Invalid(
            f"{LOADER} defines neither {_DRIVERS[0]} nor {_DRIVERS[1]}.",
            hint="Define `feed_infer(output_file, infer_func)` or `test_data_loader(root_path)` in it.",
        )
    if metric == CUSTOM:
        _parse(EVALUATION, read(EVALUATION) or b"")
        return
    try:
        (read(TEST_LABEL) or b"").decode("utf-8")
    except UnicodeDecodeError as error:
        raise Invalid(
            f"{TEST_LABEL} is not UTF-8 text: byte {error.start} cannot be read.",
            hint="Save the labels as UTF-8, one in each line, or give an evaluation.py with `--metric custom`.",
        ) from None


def _parse(path: str, source: bytes) -> ast.Module:
    if len(source) > MAX_SOURCE:
        raise Invalid(f"{path} is larger than {MAX_SOURCE // 2**10} KiB.", hint="Keep data out of the code.")
    try:
        return ast.parse(source)
    except SyntaxError as error:
        raise Invalid(
            f"{path}:{error.lineno or 1} is not valid Python: {error.msg}.", hint=f"Correct {path} and push again."
        ) from None
    except (ValueError, RecursionError, MemoryError):
        raise Invalid(f"{path} cannot be parsed as Python.", hint=f"Correct {path} and push again.") from None


def _defined_names(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.asname or alias.name for alias in node.names)
