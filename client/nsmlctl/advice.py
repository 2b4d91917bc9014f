"""What a program lacks to be submitted, as far as its source shows. Read, never executed."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from nsmlctl.guards import PAUSED, TRAIN, asks_for_mode, steps_of
from nsmlctl.manifest import Manifest

MAX_FILES, MAX_SIZE = 300, 1_000_000  # programs of a folder that are read, and bytes of each
RESERVED = ("mode", "pause", "iteration")
# A call of one of these takes the command line apart and ends the program at an option it does not know.
STRICT = {"parse_args", "Fire", "run", "command"}
STRICT_OWNERS = {"fire", "absl", "app", "click", "tf"}


@dataclass
class Seen:
    """What the sources hold: calls of nsml's, option names, and whether somebody reads the command line strictly."""

    calls: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    is_strict: bool = False


def read_programs(manifest: Manifest) -> dict[str, str]:
    """Path to source, of the Python files that go up."""
    programs = [entry for entry in manifest.entries if entry.path.endswith(".py") and entry.size <= MAX_SIZE]
    return {entry.path: entry.source.read_text(encoding="utf-8", errors="replace") for entry in programs[:MAX_FILES]}


def advise(entry: str, programs: Mapping[str, str]) -> list[str]:
    """Sentences that say what to add; empty when the program looks complete, or cannot be judged by this Python."""
    if entry not in programs or _parsed(programs[entry]) is None:
        return []
    seen = Seen()
    for source in programs.values():
        tree = _parsed(source)
        if tree is not None:
            _look(tree, seen)
    return [*_about_calls(entry, seen), *_about_options(entry, seen), *_about_guard(entry, programs, seen)]


def _about_calls(entry: str, seen: Seen) -> Iterator[str]:
    if "*" in seen.calls:
        return
    if "bind" not in seen.calls:
        yield (
            f"{entry} never calls nsml.bind, so nothing can be saved, loaded or submitted. "
            "Add: nsml.bind(save=save, load=load, infer=infer)"
        )
    if "paused" not in seen.calls:
        yield (
            f"{entry} never calls nsml.paused, so a submit would train instead of answering. "
            "Add after nsml.bind: if config.pause: nsml.paused(scope=locals())"
        )


def _about_options(entry: str, seen: Seen) -> Iterator[str]:
    missing = [name for name in RESERVED if name not in seen.names]
    if not seen.is_strict or not missing:
        return
    when = "A fork" if missing == ["iteration"] else "A submit"
    given = "--pause 1 --iteration NAME" if missing == ["iteration"] else "--mode test --pause 1"
    lines = {
        "mode": "parser.add_argument('--mode', default='train')",
        "pause": "parser.add_argument('--pause', type=int, default=0)",
        "iteration": "parser.add_argument('--iteration', default='0')",
    }
    yield (
        f"{entry} does not know the option {' nor '.join('--' + name for name in missing)}. {when} adds `{given}` "
        f"and would end there. Add: {'; '.join(lines[name] for name in missing)}"
    )


def _about_guard(entry: str, programs: Mapping[str, str], seen: Seen) -> Iterator[str]:
    """At most one: training that a submit would walk into, or a mode that nobody looks at."""
    trees = {path: tree for path, source in programs.items() if (tree := _parsed(source)) is not None}
    steps = steps_of(trees[entry])
    paused = next((number for number, step in enumerate(steps) if step.what == PAUSED), None)
    open_training = [(number, step) for number, step in enumerate(steps) if step.what == TRAIN and not step.guarded]
    if paused is None or not open_training:
        return
    number, first = open_training[0]
    if number < paused:
        yield (
            f"{entry} trains before it calls nsml.paused (line {first.line}), so a submit would train first. "
            "Call nsml.paused before the training, or put above the training: if config.mode == 'train':"
        )
    elif "mode" in seen.names and not any(map(asks_for_mode, trees.values())):
        yield (
            f"{entry} takes --mode and never looks at it, so it trains in every mode (line {first.line}). "
            "Add above the training: if config.mode == 'train':"
        )


def _parsed(source: str) -> ast.Module | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None  # a program for another Python is not judged


def _look(tree: ast.Module, seen: Seen) -> None:
    aliases = {"nsml"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases.update(alias.asname or alias.name for alias in node.names if alias.name == "nsml")
        elif isinstance(node, ast.ImportFrom) and node.module == "nsml":
            seen.calls.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            seen.names.add(node.value.lstrip("-").replace("-", "_"))
        elif isinstance(node, ast.arg):
            seen.names.add(node.arg)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            _note(node, aliases, seen)


def _note(node: ast.Attribute, aliases: set[str], seen: Seen) -> None:
    owner = ast.unparse(node.value).split(".")[-1]
    if owner in aliases:
        seen.calls.add(node.attr)
    elif node.attr == "parse_args" or (node.attr in STRICT and owner in STRICT_OWNERS):
        seen.is_strict = True
