"""The live variables a person at the console sees, and what evaluating a piece of code in them prints and gives."""

import ast
import io
import sys
import threading
import traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional, Tuple

_NAME = "<console>"


class Scope:
    """The `locals()` handed to `report` or `paused` last, the program's globals behind them, and names made since."""

    def __init__(self) -> None:
        self._given: "Dict[str, Any]" = {}
        self._made: "Dict[str, Any]" = {}

    def set(self, scope: "Any") -> None:
        """Take over `scope`: a dict, or any object with variables. Anything else leaves what there is."""
        variables = scope if isinstance(scope, dict) else getattr(scope, "__dict__", None)
        if isinstance(variables, dict):
            self._given = variables

    def run(self, code: str) -> "Tuple[str, Optional[str]]":
        """(output, error): the repr of an expression after what it printed; the traceback's text when it raised."""
        given = self._given
        known = vars(sys.modules["__main__"])
        # Module level: the very dict, so that what is set here is set there. A function's locals are a copy by nature.
        is_live = "__name__" in given and "__builtins__" in given
        variables = given if is_live else dict(known, **self._made)
        if not is_live:
            variables.update(given)
        output, error = _evaluate(code, variables)
        if not is_live:
            self._take_back(variables, known)
        return output, error

    def _take_back(self, variables: "Dict[str, Any]", known: "Dict[str, Any]") -> None:
        for name, value in variables.items():
            if name in self._given:
                self._given[name] = value
            elif known.get(name, variables) is not value:
                self._made[name] = value


def _evaluate(code: str, variables: "Dict[str, Any]") -> "Tuple[str, Optional[str]]":
    printed = _Printed(sys.stdout)
    error = None
    stdin = sys.stdin
    sys.stdout, sys.stdin = printed, io.StringIO()  # `exit()` closes stdin: not the program's
    try:
        tree = ast.parse(code.strip(), _NAME)
        is_expression = bool(tree.body) and isinstance(tree.body[-1], ast.Expr)
        last = tree.body.pop() if is_expression else None
        exec(compile(tree, _NAME, "exec"), variables)  # noqa: S102 - the participant's own code in their own process
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), _NAME, "eval"), variables)  # noqa: S307
            if value is not None:
                printed.write(repr(value))
    except (Exception, SystemExit) as raised:
        error = _describe(raised)
    finally:
        sys.stdin = stdin
        if sys.stdout is printed:
            sys.stdout = printed.original
    return printed.text(), error


def _describe(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename in (__file__, ast.__file__):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace)).rstrip("\n")


class _Printed:
    """Stands in for stdout: keeps what this thread prints and lets the rest of the program print as before."""

    def __init__(self, original: "Any") -> None:
        self.original = original
        self._thread = threading.get_ident()
        self._kept = io.StringIO()

    def write(self, text: str) -> int:
        if threading.get_ident() == self._thread:
            return self._kept.write(text)
        return int(self.original.write(text))

    def text(self) -> str:
        return self._kept.getvalue()

    def __getattr__(self, name: str) -> "Any":
        return getattr(self.original, name)
