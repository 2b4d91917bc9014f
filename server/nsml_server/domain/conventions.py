"""What a program's source shows of NSML's conventions: its calls of `nsml`, and the arguments it knows. Read, never run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

MAX_FILES, MAX_SIZE = 300, 2**20  # programs of a folder that are read, and bytes of each
MAX_TOTAL = 2 * 2**20  # bytes of all of them: parsing takes about a second a mebibyte
MODE, PAUSE, ITERATION = "mode", "pause", "iteration"
RESERVED = (MODE, PAUSE, ITERATION)
AT_SUBMIT = (MODE, PAUSE)

_ADDITIONS = {
    MODE: "parser.add_argument('--mode', default='train')",
    PAUSE: "parser.add_argument('--pause', type=int, default=0)",
    ITERATION: "parser.add_argument('--iteration', default='0')",
}
_LIBRARY = "nsml"
_TOLERANT = "parse_known_args"
_PAUSED_LINE = "`if args.pause: nsml.paused(scope=locals())`"


@dataclass
class Seen:
    """Names called of `nsml` ("*": all were imported), words that could be options, and whether unknown ones are let pass."""

    calls: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    is_tolerant: bool = False
    is_readable: bool = True

    def has_call(self, name: str) -> bool:
        """Whether the source calls it, as far as one can see."""
        return name in self.calls or "*" in self.calls

    @property
    def missing(self) -> tuple[str, ...]:
        """Reserved arguments of which the source says nothing."""
        return tuple(name for name in RESERVED if name not in self.words)


def read_sources(sources: Iterable[str]) -> Seen:
    """What all these files hold. One that cannot be parsed makes the whole unreadable: nothing is concluded from it."""
    seen = Seen()
    for source in sources:
        tree = _parsed(source)
        if tree is None:
            seen.is_readable = False
        else:
            _look(tree, seen)
    return seen


def can_go_on(seen: Seen) -> bool:
    """Whether a training can be started again from a checkpoint: with `--pause 1 --iteration NAME` it would load that.

    It has to call `nsml.paused`, and to know `--pause` and `--iteration`; the latter also when it lets unknown arguments pass.
    """
    knows = PAUSE in seen.words and (ITERATION in seen.words or seen.is_tolerant)
    return seen.is_readable and knows and seen.has_call("paused")


def say_what_to_add(options: Sequence[str]) -> str:
    """The next step for a program that refuses these arguments."""
    lines = "`, `".join(_ADDITIONS[name] for name in options)
    return f"Add `{lines}`, or read the command line with `parse_known_args()`."


def say_untouched(seen: Seen) -> str:
    """Why nothing asked a program for its predictions, as its source shows it, and what to add."""
    if not seen.is_readable:
        return f"Call `nsml.bind(...)`, then {_PAUSED_LINE} before the training begins."
    missing = [f"`nsml.{name}`" for name in ("bind", "paused") if not seen.has_call(name)]
    if missing:
        return (
            f"It never calls {' nor '.join(missing)}: add `nsml.bind(save=save, load=load, infer=infer)`, "
            f"then {_PAUSED_LINE} before the training begins."
        )
    if PAUSE not in seen.words:
        return f"It does not know the argument `--pause`. {say_what_to_add([PAUSE])} Then {_PAUSED_LINE}."
    return f"It must get to {_PAUSED_LINE} before the training, and outside of `if args.mode == 'train'`."


def _parsed(source: str) -> ast.Module | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _look(tree: ast.Module, seen: Seen) -> None:
    aliases = {_LIBRARY}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases.update(alias.asname or alias.name for alias in node.names if alias.name == _LIBRARY)
        elif isinstance(node, ast.ImportFrom) and node.module == _LIBRARY:
            seen.calls.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            seen.words.add(node.value.lstrip("-").replace("-", "_"))
        elif isinstance(node, ast.arg):  # fire and click turn these into options
            seen.words.add(node.arg)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            seen.is_tolerant |= node.attr == _TOLERANT
            if isinstance(node.value, ast.Name) and node.value.id in aliases:
                seen.calls.add(node.attr)
