"""What an uploaded folder says it needs: an image, Python packages, Debian packages. Read, never executed.

Three files say so, as NSML had them: ``setup.py`` (its `#nsml:` line and `install_requires`), ``requirements.txt`` and
``nsml_package.txt``. Where two files say the same, setup.py comes first.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from nsml_server.domain.install_requires import Unreadable, read_install_requires
from nsml_server.domain.names import shown
from nsml_server.errors import Invalid

SETUP, REQUIREMENTS, PACKAGES = "setup.py", "requirements.txt", "nsml_package.txt"
FILES = (SETUP, REQUIREMENTS, PACKAGES)
MAX_REQUIREMENTS = 500
MAX_LINE = 500  # characters
SDK_NAMES = frozenset({"nsml"})  # in every box already

# Gives an uploaded file's text; None when there is no such file, or it is no text.
ReadText = Callable[[str], str | None]

_IMAGE_LINE = re.compile(r"#+\s*nsml\s*:\s*(\S*)", re.IGNORECASE)
_PRELUDE = re.compile(r"#!|#.*coding[:=]")  # what editors and shells want first
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VERSION = r"(?:===?|~=|!=|<=|>=|<|>)\s*[A-Za-z0-9._*+!-]+"
_REQUIREMENT = re.compile(
    rf"(?P<name>{_NAME})\s*(?P<extras>\[[A-Za-z0-9._,\s-]*\])?\s*"
    rf"(?P<versions>\(?\s*(?:{_VERSION}(?:\s*,\s*{_VERSION})*\s*,?)?\s*\)?)\s*(?P<marker>;[^;]*)?"
)
_ARCHIVE = re.compile(r"\.(whl|zip|egg|tar|tgz|tar\.gz|tar\.bz2)$", re.IGNORECASE)
_COMMENT = re.compile(r"(^|\s)#.*$")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]*(?::[a-z0-9]+)?(?:=[A-Za-z0-9.+~:-]+)?")


@dataclass(frozen=True)
class Needs:
    """What a folder asks for. `image`: the participant's own word, or None; `notes`: what the participant is to know."""

    image: str | None = None
    requirements: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Line:
    """A line and where it stands, for the sentence that refuses it."""

    text: str
    where: str


def read_needs(read: ReadText) -> Needs:
    """Everything the folder asks for.

    Raises:
        Invalid: a line we do not install from (a pip option, an address, a path, no package's name), naming it.
    """
    setup, listed, packages = (read(name) for name in FILES)
    named = [image for image in map(find_image, (setup, listed)) if image]
    lines, notes = _setup_lines(setup, read)
    lines += list(_numbered(listed or "", REQUIREMENTS))
    return Needs(
        image=named[0] if named else None,
        requirements=_unique(check_requirement(line.text, line.where) for line in lines),
        packages=_unique(_check_package(line) for line in _numbered(packages or "", PACKAGES)),
        notes=tuple(notes),
    )


def find_image(text: str | None) -> str | None:
    """The word after `#nsml:` in the first line that is not blank, for a shell or for an editor."""
    for line in (text or "").lstrip("\ufeff").splitlines():
        if line.strip() and not _PRELUDE.match(line):
            match = _IMAGE_LINE.match(line.strip())
            return (match.group(1) or None) if match else None
    return None


def check_requirement(text: str, where: str) -> str:
    """One requirement as pip takes it, without blanks around it.

    Raises:
        Invalid: it is something else; `where` says in which line it stands.
    """
    problem = _find_problem(text)
    if problem:
        said = f"{where}, {shown(text)}: {problem}."
        raise Invalid(
            said, hint="Name the package and, if you like, its version: numpy>=1.20.", code="requirement_refused"
        )
    return text


def key_of(python: str | None, requirements: Iterable[str]) -> str:
    """Under which name an environment is kept: the same for the same Python and the same requirements in any order."""
    wanted = sorted({" ".join(item.split()).lower() for item in requirements})
    return hashlib.sha256("\0".join([python or "", *wanted]).encode()).hexdigest()


def _setup_lines(setup: str | None, read: ReadText) -> tuple[list[_Line], list[str]]:
    if setup is None:
        return [], []
    try:
        found = read_install_requires(setup, read)
    except Unreadable as error:
        return [], [f"{SETUP}: {error}; nothing was installed from it. Write install_requires as a list of names."]
    cleaned = (_Line(_COMMENT.sub("", item).strip(), f"install_requires in {SETUP}") for item in found)
    return [line for line in cleaned if line.text and not _is_sdk(line.text)], []


def _numbered(text: str, file: str) -> Iterator[_Line]:
    """Lines that say something, with comments cut off and continued lines joined."""
    begun, first = "", 0
    for number, raw in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        first = first if begun else number
        line = begun + _COMMENT.sub("", raw).rstrip()
        begun = line[:-1] if line.endswith("\\") else ""
        if not begun and line.strip() and not _is_sdk(line):
            yield _Line(line.strip(), f"{file} line {first}")
    if begun.strip():
        yield _Line(begun.strip(), f"{file} line {first}")


def _find_problem(text: str) -> str:
    if len(text) > MAX_LINE or not text.isprintable():
        return "it is not one short line"
    if text.startswith("-") or re.search(r"\s--?\w", text):
        return "options of pip are not taken"
    if "://" in text or re.search(r"\s@|@\s|^(git|hg|svn|bzr)\+", text):
        return "packages are not installed from an address"
    if text.startswith((".", "/", "\\", "~")) or _ARCHIVE.search(text) or "/" in text.split(";")[0]:
        return "packages are not installed from a path"
    if not _REQUIREMENT.fullmatch(text):
        return "this is not the name of a package"
    return ""


def _check_package(line: _Line) -> str:
    if not _PACKAGE.fullmatch(line.text):
        said = f"{line.where}, {shown(line.text)}: this is not the name of a Debian package."
        raise Invalid(said, hint="Write one package in each line.", code="requirement_refused")
    return line.text


def _is_sdk(text: str) -> bool:
    return re.split(r"[^A-Za-z0-9._-]", text.strip(), maxsplit=1)[0].lower() in SDK_NAMES


def _unique(items: Iterable[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(items))
    if len(found) > MAX_REQUIREMENTS:
        raise Invalid(f"The folder asks for more than {MAX_REQUIREMENTS} packages.", hint="Name those you import.")
    return found
