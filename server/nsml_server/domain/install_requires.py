"""`install_requires` of a setup.py, worked out from its syntax tree: nothing of it is ever executed.

Known are the ways in which people wrote it: a list, a variable, lists added up, lines of an uploaded file (read, iterated,
split, through a function, through pip's parse_requirements), `setup(**settings)`. Anything else is told as unreadable.
"""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Callable
from typing import Any

MAX_STEPS = 5000  # expressions looked at: a hostile file must not keep us busy
MAX_LINES = 2000
MAX_DEPTH = 50
_SAME = {"list", "tuple", "sorted", "set", "str", "filter", "map"}  # of their last argument, the lines stay the lines
_LINES = {"read", "readlines", "splitlines", "split", "strip", "rstrip", "read_text", "decode", "copy", "readline"}


class Unreadable(Exception):
    """The sentence says what could not be read and where."""


def read_install_requires(source: str, read: Callable[[str], str | None]) -> list[str]:
    """The requirements as written, in order; may hold blank lines and comments of a file.

    Args:
        read: gives the text of an uploaded file, None when there is none.

    Raises:
        Unreadable: it is no Python that we understand, or is computed.
    """
    try:
        tree = ast.parse(source.lstrip("\ufeff"))
        reader = _Reader(read)
        reader.collect(tree)
        return [line for node in reader.wanted for line in reader.lines(node)]
    except SyntaxError as error:
        raise Unreadable(f"it cannot be read as Python 3 (line {error.lineno})") from None
    except (RecursionError, MemoryError, ValueError):
        raise Unreadable("it cannot be read as Python 3") from None


class _Reader(ast.NodeVisitor):
    """Remembers what names stand for, finds `setup(...)`, and says which lines an expression gives."""

    def __init__(self, read: Callable[[str], str | None]) -> None:
        self.wanted: list[ast.expr] = []
        self._read = read
        self._names: dict[str, list[ast.expr]] = {}
        self._results: dict[str, ast.expr] = {}  # what functions of the file return
        self._steps = 0
        self._depth = 0

    def collect(self, tree: ast.Module) -> None:
        """Look at every statement, in order."""
        self.visit(tree)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._name(target, node.value)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._name(node.target, node.value)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name) and isinstance(node.op, ast.Add):
            self._names.setdefault(node.target.id, []).append(node.value)
        self.generic_visit(node)

    def visit_With(self, node: ast.With) -> None:
        for item in node.items:
            if item.optional_vars is not None:
                self._name(item.optional_vars, item.context_expr)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.generic_visit(node)
        returned = [inner.value for inner in ast.walk(node) if isinstance(inner, ast.Return) and inner.value]
        if returned:
            self._results[node.name] = returned[-1]

    def visit_Call(self, node: ast.Call) -> None:
        called = _called(node)
        if called == "setup":
            self.wanted += [value for word in node.keywords for value in self._requires(word)]
        elif called in ("append", "extend") and isinstance(node.func, ast.Attribute):
            grown = node.func.value
            if isinstance(grown, ast.Name):
                self._names.setdefault(grown.id, []).extend(node.args)
        self.generic_visit(node)

    def lines(self, node: ast.expr) -> list[str]:
        """The texts an expression gives. Raises Unreadable."""
        self._steps += 1
        self._depth += 1
        if self._steps > MAX_STEPS or self._depth > MAX_DEPTH:
            raise self._unreadable(node)
        handle = getattr(self, f"_of_{type(node).__name__.lower()}", self._unknown)
        found: list[str] = handle(node)
        self._depth -= 1
        if len(found) > MAX_LINES:
            raise self._unreadable(node)
        return found

    def _of_constant(self, node: ast.Constant) -> list[str]:
        if node.value is None:
            return []
        if not isinstance(node.value, str):
            raise self._unreadable(node)
        return node.value.splitlines()

    def _of_list(self, node: ast.List | ast.Tuple | ast.Set) -> list[str]:
        return [line for item in node.elts for line in self.lines(item)]

    _of_tuple = _of_set = _of_list

    def _of_starred(self, node: ast.Starred) -> list[str]:
        return self.lines(node.value)

    def _of_binop(self, node: ast.BinOp) -> list[str]:
        if not isinstance(node.op, ast.Add):
            raise self._unreadable(node)
        return self.lines(node.left) + self.lines(node.right)

    def _of_name(self, node: ast.Name) -> list[str]:
        if node.id not in self._names:
            raise self._unreadable(node)
        return [line for value in self._names[node.id] for line in self.lines(value)]

    def _of_ifexp(self, node: ast.IfExp) -> list[str]:
        return self.lines(node.body)

    def _of_listcomp(self, node: ast.ListComp | ast.GeneratorExp) -> list[str]:
        return self.lines(node.generators[0].iter)

    _of_generatorexp = _of_setcomp = _of_listcomp

    def _of_subscript(self, node: ast.Subscript) -> list[str]:
        """`settings["install_requires"]`."""
        if isinstance(node.value, ast.Name) and isinstance(node.slice, ast.Constant):
            for value in self._names.get(node.value.id, []):
                if isinstance(value, ast.Dict):
                    return [line for item in _items(value, node.slice.value) for line in self.lines(item)]
        raise self._unreadable(node)

    def _of_call(self, node: ast.Call) -> list[str]:
        called = _called(node)
        if called in ("open", "parse_requirements", "Path", "resource_string"):
            return self._file(node)
        if called in _LINES and isinstance(node.func, ast.Attribute):
            return self.lines(node.func.value)
        if called in _SAME and node.args:
            return self.lines(node.args[-1])
        if called in self._results:
            return self._result(node, called)
        raise self._unreadable(node)

    def _result(self, node: ast.Call, called: str) -> list[str]:
        """What a function of the file gives: its own lines, or those of the one file that the call names."""
        try:
            return self.lines(self._results[called])
        except Unreadable:
            if not node.args:
                raise
            return self._file(node)

    def _file(self, node: ast.Call) -> list[str]:
        for argument in node.args:
            path = self._path(argument)
            text = self._read(path) if path else None
            if text is not None:
                return text.splitlines()
        raise self._unreadable(node)

    def _path(self, node: ast.expr) -> str:
        """The file an expression names, relative to the folder: the words of it that are written out."""
        parts = [
            part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)
        ]
        if isinstance(node, ast.Name):
            return next((self._path(value) for value in self._names.get(node.id, [])), "")
        return posixpath.normpath("/".join(parts)).lstrip("/") if parts else ""

    def _requires(self, word: ast.keyword) -> list[ast.expr]:
        if word.arg == "install_requires":
            return [word.value]
        if word.arg is None:
            known = self._names.get(word.value.id, []) if isinstance(word.value, ast.Name) else [word.value]
            return [
                item for value in known if isinstance(value, ast.Dict) for item in _items(value, "install_requires")
            ]
        return []

    def _name(self, target: ast.expr, value: ast.expr) -> None:
        if not isinstance(target, ast.Name):
            return
        if not _mentions(value, target.id):
            self._names[target.id] = [value]
        elif isinstance(value, ast.BinOp):  # names = names + [...]; any other way to make it anew from itself filters
            more = [side for side in (value.left, value.right) if not _mentions(side, target.id)]
            self._names.setdefault(target.id, []).extend(more)

    def _unknown(self, node: ast.expr) -> list[str]:
        raise self._unreadable(node)

    @staticmethod
    def _unreadable(node: ast.expr) -> Unreadable:
        return Unreadable(f"install_requires is computed in line {node.lineno} in a way that needs it to be run")


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _mentions(node: ast.expr, name: str) -> bool:
    return any(isinstance(inner, ast.Name) and inner.id == name for inner in ast.walk(node))


def _items(node: ast.Dict, wanted: Any) -> list[ast.expr]:
    pairs = zip(node.keys, node.values, strict=True)
    return [value for key, value in pairs if isinstance(key, ast.Constant) and key.value == wanted]
