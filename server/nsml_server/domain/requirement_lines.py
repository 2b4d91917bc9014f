"""The lines of a requirements.txt: what pip is given of them, and what of them is left out with a note.

Whatever names a package goes to pip, also one by its address: pip runs in a box with a network and nothing else, where a package
of the index may fetch what it likes as well. Its options do not: they say where and how *our* pip looks, and the operator does.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from nsml_server.domain.names import shown
from nsml_server.errors import Invalid

MAX_LINE = 500  # characters
MAX_FILES = 20  # that name each other by -r
MAX_TEXT = 256 * 1024  # characters of them all
MAX_REQUIREMENTS = 500
SDK_NAMES = frozenset({"nsml"})  # in every box already
OPERATORS = "where and how pip looks is the operator's to say; the option is left out"

# Gives an uploaded file's text; None when there is no such file, or it is no text.
ReadText = Callable[[str], str | None]

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VERSION = r"(?:===?|~=|!=|<=|>=|<|>)\s*[A-Za-z0-9._*+!-]+"
_REQUIREMENT = re.compile(
    rf"(?P<name>{_NAME})\s*(?P<extras>\[[A-Za-z0-9._,\s-]*\])?\s*"
    rf"(?P<versions>\(?\s*(?:{_VERSION}(?:\s*,\s*{_VERSION})*\s*,?)?\s*\)?)\s*(?P<marker>;[^;]*)?"
)
_ADDRESS = re.compile(rf"(?:{_NAME}\s*(?:\[[A-Za-z0-9._,\s-]*\])?\s*@\s*)?(?:git\+)?https?://[!-~]+(?:\s+;[^;]*)?")
_FROM_A_FILE = re.compile(rf"({_NAME}\s*(?:\[[A-Za-z0-9._,\s-]*\])?)\s*@\s*file:\S*\s*(;.*)?")
_ARCHIVE = re.compile(r"\.(whl|zip|egg|tar|tgz|tar\.gz|tar\.bz2)$", re.IGNORECASE)
_COMMENT = re.compile(r"(^|\s)#.*$")
_OPTION = re.compile(r"(-[A-Za-z]|--[A-Za-z][A-Za-z-]*)\s*=?\s*(.*)")
_LATER_OPTION = re.compile(r"\s+(--[A-Za-z][A-Za-z-]*)(?:[\s=].*)?$")
# A build for one kind of machine, which its maker's own index alone has: torch==1.7.1+cu110.
_BUILD_FOR = re.compile(r"(==\s*[0-9][A-Za-z0-9.]*)\+(?:cu(?:da)?\d+|cpu)\b")

_INCLUDES = frozenset({"-r", "--requirement"})
_EDITABLE = frozenset({"-e", "--editable"})


@dataclass(frozen=True)
class Line:
    """A line and where it stands, for the sentence that speaks of it."""

    text: str
    where: str


class Requirements:
    """Collects what pip is to install, in order and nothing twice, and what the participant is to know."""

    def __init__(self, read: ReadText) -> None:
        self.wanted: dict[str, None] = {}
        self._read = read
        self._notes: dict[str, str] = {}
        self._files: set[str] = set()
        self._length = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences; one for each kind of line that was left out."""
        return tuple(self._notes.values())

    def add_file(self, path: str, text: str) -> None:
        """Every line of a file, and of those it names.

        Raises:
            Invalid: a line we do not install from, naming it.
        """
        self._files.add(path)
        self._length += len(text)
        for line in number_lines(text, path):
            self.add(line, posixpath.dirname(path))

    def add(self, line: Line, folder: str = "") -> None:
        """One line; `folder` is where a file that it names is looked for. Raises Invalid."""
        if len(line.text) > MAX_LINE or not line.text.isprintable():
            raise refuse(line, "it is not one short line")
        option = _OPTION.fullmatch(line.text)
        if option is not None:
            self._add_option(line, option.group(1), option.group(2).strip("\"'"), folder)
        elif not _is_sdk(line.text):
            self._add_package(line)

    def _add_option(self, line: Line, option: str, value: str, folder: str) -> None:
        if option in _INCLUDES:
            self._include(line, posixpath.normpath(posixpath.join(folder, value.replace("\\", "/"))))
        elif option in _EDITABLE and "://" in value:
            self._add_package(Line(value, line.where))
        elif option in _EDITABLE:
            self._note(line, option, "the folder is not installed: what lies in it is imported from where it lies")
        else:
            self._note(line, option, OPERATORS)

    def _include(self, line: Line, path: str) -> None:
        if path in self._files:
            return
        text = self._read(path)
        if text is None:
            where = "Put the file into the folder, and not into .nsmlignore; or write its packages here."
            raise refuse(line, "there is no such file in the folder", where)
        if len(self._files) >= MAX_FILES or self._length + len(text) > MAX_TEXT:
            raise refuse(line, f"more than {MAX_FILES} files, or {MAX_TEXT:,} characters, name each other")
        self.add_file(path, text)

    def _add_package(self, line: Line) -> None:
        text = line.text
        later = _LATER_OPTION.search(text)
        if later is not None:
            self._note(line, later.group(1), OPERATORS)
            text = text[: later.start()]
        kept = _FROM_A_FILE.fullmatch(text)
        if kept is not None:
            text = " ".join(part.strip() for part in kept.groups("") if part)
            self._note(line, "file:", f"that file is on another machine; {text} of the index is taken")
        plain = _BUILD_FOR.sub(r"\1", text)
        if plain != text:
            self._note(line, "+", f"only its maker's own index has that build; {plain} is taken")
        self.wanted[_check(plain, line)] = None
        if len(self.wanted) > MAX_REQUIREMENTS:
            raise refuse(line, f"the folder asks for more than {MAX_REQUIREMENTS} packages", "Name those you import.")

    def _note(self, line: Line, kind: str, why: str) -> None:
        self._notes.setdefault(kind, f"{line.where}, {shown(line.text)}: {why}")


def _check(text: str, line: Line) -> str:
    """One requirement as pip takes it. Raises Invalid: it is something else."""
    if _ADDRESS.fullmatch(text):
        return text
    if "://" in text or re.search(r"\s@|@\s|^(git|hg|svn|bzr)\+", text):
        raise refuse(line, "packages are installed from addresses with https:// or git+https:// only")
    if text.startswith((".", "/", "\\", "~")) or _ARCHIVE.search(text) or "/" in text.split(";")[0]:
        raise refuse(line, "packages are not installed from a path")
    if not _REQUIREMENT.fullmatch(text):
        raise refuse(line, "this is not the name of a package")
    return text


def number_lines(text: str, file: str) -> Iterator[Line]:
    """Lines that say something, with comments cut off and continued lines joined."""
    begun, first = "", 0
    for number, raw in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        first = first if begun else number
        line = begun + _COMMENT.sub("", raw).rstrip()
        begun = line[:-1] if line.endswith("\\") else ""
        if not begun and line.strip():
            yield Line(line.strip(), f"{file} line {first}")
    if begun.strip():
        yield Line(begun.strip(), f"{file} line {first}")


def clean_lines(texts: Iterable[str], where: str) -> Iterator[Line]:
    """The same of lines that were worked out from a program."""
    cleaned = (_COMMENT.sub("", text).strip() for text in texts)
    return (Line(text, where) for text in cleaned if text)


def refuse(
    line: Line, problem: str, hint: str = "Name the package and, if you like, its version: numpy>=1.20."
) -> Invalid:
    """What is raised about a line."""
    return Invalid(f"{line.where}, {shown(line.text)}: {problem}.", hint=hint, code="requirement_refused")


def _is_sdk(text: str) -> bool:
    return re.split(r"[^A-Za-z0-9._-]", text.strip(), maxsplit=1)[0].lower() in SDK_NAMES
