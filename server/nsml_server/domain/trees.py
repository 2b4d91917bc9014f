"""Folders as uploaded: which paths we take, and which part of a dataset each kind of run may see.

A dataset that has a leaderboard looks so: data_loader.py, train/…, test/test_data, test/test_label, and evaluation.py when its metric
is custom. Of one without a leaderboard nothing is hidden.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Callable

from nsml_server.domain.names import is_hash, is_visible, shown
from nsml_server.domain.ranking import CUSTOM
from nsml_server.errors import Invalid, TooLarge
from nsml_worker.contract import FileEntry, Tree

MAX_COMPONENT = 255  # bytes, what file systems allow
MAX_PATH = 1000  # bytes of a whole path; a box puts it below folders of its own and the kernel stops at 4096

LOADER = "data_loader.py"
EVALUATION = "evaluation.py"
TEST_DATA = "test/test_data"
TEST_LABEL = "test/test_label"

_DRIVE = re.compile(r"[A-Za-z]:")
_WINDOWS = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?", re.IGNORECASE)
_RENAME = "Rename it, or leave it out with a line in .nsmlignore."
_LEAVE_OUT = "Leave out what the program does not need: a .nsmlignore file in the folder lists what stays home."


def check_tree(tree: Tree, *, max_files: int, max_file_bytes: int, max_bytes: int) -> Tree:
    """The tree sorted by path, when every entry is one we take.

    Raises:
        Invalid: a path, size, mode or hash we do not take; names the file.
        TooLarge: too many files, one too large, or too much in all.
    """
    if len(tree.files) > max_files:
        raise TooLarge(f"The folder has {len(tree.files):,} files and may have {max_files:,}.", hint=_LEAVE_OUT)
    for entry in tree.files:
        _check_entry(entry, max_file_bytes)
    if tree.size > max_bytes:
        raise TooLarge(f"The folder holds {_mib(tree.size)} and may hold {_mib(max_bytes)}.", hint=_LEAVE_OUT)
    ordered = Tree(tuple(sorted(tree.files, key=lambda entry: entry.path)))
    _check_clashes(ordered)
    return ordered


def path_problem(path: str) -> str | None:
    """Why we do not take a path, to follow "The path …"; None when we do."""
    if not path:
        return "is empty"
    if not is_visible(path):
        return "contains a character that cannot be seen"
    if path.startswith("/") or _DRIVE.match(path):
        return "begins at the root of a disk"
    if "\\" in path:
        return "contains a backslash"
    if len(path.encode()) > MAX_PATH:
        return f"is longer than {MAX_PATH} bytes"
    return next(filter(None, map(_component_problem, path.split("/"))), None)


def train_view(tree: Tree) -> Tree:
    """What a training sees: all but test/ and evaluation.py."""
    return _view(tree, lambda path: path != EVALUATION and not path.startswith("test/"))


def predict_view(tree: Tree) -> Tree:
    """What a prediction sees: all but train/, the labels and evaluation.py."""
    return _view(tree, lambda path: path != EVALUATION and not path.startswith(("train/", TEST_LABEL)))


def score_view(tree: Tree) -> Tree:
    """What a scoring sees: test/, labels included, and evaluation.py."""
    return _view(tree, lambda path: path == EVALUATION or path.startswith("test/"))


def input_view(tree: Tree) -> Tree:
    """What a prediction depends on: the test inputs, and data_loader.py, which says in which order they come."""
    return _view(tree, lambda path: path == LOADER or (path.startswith("test/") and not path.startswith(TEST_LABEL)))


def loader_view(tree: Tree) -> Tree:
    """The organiser's data_loader.py alone."""
    return _view(tree, lambda path: path == LOADER)


def open_view(tree: Tree) -> Tree:
    """What anybody sees of a dataset without a leaderboard: all of it.

    From 2018 on NSML put a pushed folder at train/FOLDER; in 2017 its files were at the root. When train/FOLDER is all there
    is, its files are at the root as well.
    """
    parts = [entry.path.split("/", 2) for entry in tree.files]
    tops = {tuple(part[:2]) for part in parts}
    if len(tops) != 1 or any(len(part) != 3 or part[0] != "train" for part in parts):
        return tree
    at_root = [dataclasses.replace(entry, path=part[2]) for entry, part in zip(tree.files, parts, strict=True)]
    if any(_folded(entry.path).split("/")[0] == "train" for entry in at_root):
        return tree
    return Tree(tuple(sorted([*at_root, *tree.files], key=lambda entry: entry.path)))


def check_dataset_tree(tree: Tree, leaderboard: bool, metric: str) -> None:
    """What a dataset must hold, so that its organiser is told at the push and nobody at a submit.

    Raises:
        Invalid: something is missing or empty; names it.
    """
    if not tree.files:
        raise Invalid("The dataset's folder is empty.", hint="Give the folder that holds train/ and test/.")
    if not leaderboard:
        return
    wanted = [LOADER, TEST_DATA, TEST_LABEL] + ([EVALUATION] if metric == CUSTOM else [])
    missing = [path for path in wanted if not _has_bytes(tree, path)]
    if missing:
        raise Invalid(
            f"A dataset with a leaderboard needs {_listed(missing)}, which {'is' if len(missing) == 1 else 'are'} missing or empty.",
            hint=_what_to_add(missing[0]),
            details={"missing": missing},
        )


def _view(tree: Tree, sees: Callable[[str], bool]) -> Tree:
    # Compared without regard to case, so that a label file is not shown for being spelt Test/ or Test_Label.
    return Tree(tuple(entry for entry in tree.files if sees(_folded(entry.path))))


def _has_bytes(tree: Tree, path: str) -> bool:
    return any(e.size > 0 for e in tree.files if e.path == path or e.path.startswith(path + "/"))


def _what_to_add(path: str) -> str:
    return {
        LOADER: "Add data_loader.py with `feed_infer(output_file, infer_func)` or `test_data_loader(root_path)`.",
        TEST_DATA: "Put the test inputs at test/test_data, a file or a folder.",
        TEST_LABEL: "Put the hidden labels at test/test_label, one line for each test row.",
        EVALUATION: "Add evaluation.py, which prints the score, or choose a metric that is built in with `--metric`.",
    }[path]


def _check_entry(entry: FileEntry, max_file_bytes: int) -> None:
    problem = path_problem(entry.path)
    if problem:
        raise Invalid(f"The path {shown(entry.path)} {problem}.", hint=_RENAME, details={"path": shown(entry.path)})
    if not is_hash(entry.hash):
        raise Invalid(f"The hash of {entry.path} is not BLAKE3 in 64 hexadecimal digits.")
    if entry.size < 0 or not 0 <= entry.mode <= 0o777:
        raise Invalid(f"The size or the mode of {entry.path} is out of range.")
    if entry.size > max_file_bytes:
        raise TooLarge(
            f"The file {entry.path} has {_mib(entry.size)} and may have {_mib(max_file_bytes)}.", hint=_LEAVE_OUT
        )


def _component_problem(component: str) -> str | None:
    if not component:
        return "has a part without a name"
    if component in {".", ".."}:
        return f'contains "{component}"'
    if len(component.encode()) > MAX_COMPONENT:
        return f"has a part longer than {MAX_COMPONENT} bytes"
    if _WINDOWS.fullmatch(component):
        return f"contains {component}, a name that Windows keeps for a device"
    return None


def _check_clashes(tree: Tree) -> None:
    """No two paths that some disk takes for one, and no file where another path needs a folder."""
    spelt: dict[str, str] = {}
    files: set[str] = set()
    for entry in tree.files:
        parts = entry.path.split("/")
        for end in range(1, len(parts) + 1):
            path = "/".join(parts[:end])
            other = spelt.setdefault(_folded(path), path)
            if other != path or path in files:
                raise _clash(entry.path, other)
        # A folder of the same name would have come before: "a" sorts before "a/b", so only the double is left to find.
        files.add(entry.path)


def _clash(path: str, other: str) -> Invalid:
    if path == other:
        return Invalid(f"The path {path} comes twice.", hint="Send each file once.")
    return Invalid(f"The paths {other} and {path} cannot both exist on every disk.", hint="Rename one of them.")


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _mib(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB"
