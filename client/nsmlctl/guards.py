"""Whether a program trains without having looked at its mode. Read from the source, never executed.

The entry's statements are followed in the order in which they would run, into functions of the same file that they call. What
lies in other files, in methods or behind a table of functions is not followed: nothing is said of it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

DEPTH = 6  # functions that call functions
# A condition that asks for any of these is taken for a guard.
ASKING = re.compile(r"mode|pause|train|test|infer|submit|phase|platform", re.IGNORECASE)
STARTERS = {"Fire", "run", "run_app"}  # what is given a function to call
PAUSED, TRAIN = "paused", "train"
Functions = dict[str, ast.FunctionDef | ast.AsyncFunctionDef]


class Step(NamedTuple):
    """What happens at a line of the entry, as far as it matters here."""

    what: str
    line: int
    guarded: bool


def steps_of(tree: ast.Module) -> list[Step]:
    """The calls of nsml.paused and nsml.save on the way through a program, in order."""
    functions: Functions = {
        node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    return list(_walk(tree.body, functions, False, ()))


def asks_for_mode(tree: ast.Module) -> bool:
    """Whether any condition, comparison or lookup of this file has to do with the mode."""
    asking = (ast.If, ast.IfExp, ast.While, ast.Assert, ast.Compare, ast.Subscript, ast.Match)
    return any(_mentions(_condition(node), re.compile("mode")) for node in ast.walk(tree) if isinstance(node, asking))


def _walk(body: Iterable[ast.stmt], functions: Functions, guarded: bool, path: tuple[str, ...]) -> Iterator[Step]:
    for statement in body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        if isinstance(statement, ast.If) and _mentions(statement.test, ASKING):
            yield from _walk([*statement.body, *statement.orelse], functions, True, path)
            guarded = guarded or _leaves(statement.body) or _leaves(statement.orelse)
            continue
        yield from _look(statement, functions, guarded, path)
        for inner in _bodies(statement):
            yield from _walk(inner, functions, guarded, path)


def _look(statement: ast.stmt, functions: Functions, guarded: bool, path: tuple[str, ...]) -> Iterator[Step]:
    """The calls in a statement's own expressions."""
    own = [child for child in ast.iter_child_nodes(statement) if isinstance(child, (ast.expr, ast.withitem))]
    for node in (each for child in own for each in ast.walk(child) if isinstance(each, ast.Call)):
        name = ast.unparse(node.func)
        if name in ("nsml.paused", "paused"):
            yield Step(PAUSED, node.lineno, guarded)
        elif name == "nsml.save":
            yield Step(TRAIN, node.lineno, guarded)
        else:
            for called in _called(node, name, functions):
                if called not in path and len(path) < DEPTH:
                    yield from _walk(functions[called].body, functions, guarded, (*path, called))


def _called(node: ast.Call, name: str, functions: Functions) -> list[str]:
    """Functions of this file that a call runs: itself, or what it hands to fire, absl and their like."""
    given = [word.id for word in node.args if isinstance(word, ast.Name)] if name.split(".")[-1] in STARTERS else []
    return [word for word in (name, *given) if word in functions]


def _bodies(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for field in ("body", "handlers", "orelse", "finalbody"):
        inner = getattr(statement, field, None) or []
        for each in inner:
            if isinstance(each, ast.ExceptHandler):
                yield each.body
        statements = [each for each in inner if isinstance(each, ast.stmt)]
        if statements:
            yield statements


def _condition(node: ast.AST) -> ast.AST:
    if isinstance(node, (ast.If, ast.IfExp, ast.While, ast.Assert)):
        return node.test
    return node.subject if isinstance(node, ast.Match) else node


def _mentions(node: ast.AST, words: re.Pattern[str]) -> bool:
    """Whether a name, an attribute or a text in it fits. `__name__ == '__main__'` asks for nothing."""
    for each in ast.walk(node):
        name = getattr(each, "id", None) or getattr(each, "attr", None)
        text = name or (each.value if isinstance(each, ast.Constant) and isinstance(each.value, str) else "")
        if words.search(text):
            return True
    return False


def _leaves(body: list[ast.stmt]) -> bool:
    """Whether what follows a block of these is only reached past it."""
    if not body:
        return False
    last = body[-1]
    if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call):
        return ast.unparse(last.value.func).split(".")[-1] in ("exit", "_exit", "quit")
    return isinstance(last, (ast.Return, ast.Raise, ast.Continue, ast.Break))
