"""What an uploaded folder says it needs: an image, Python packages, Debian packages. Read, never executed.

Three files say so, as NSML had them: ``setup.py`` (its `#nsml:` line and `install_requires`), ``requirements.txt`` and
``nsml_package.txt``. Where two files say the same, setup.py comes first.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nsml_server.domain.install_requires import Unreadable, read_install_requires
from nsml_server.domain.names import shown
from nsml_server.domain.requirement_lines import ReadText, Requirements, clean_lines, number_lines, refuse

SETUP, REQUIREMENTS, PACKAGES = "setup.py", "requirements.txt", "nsml_package.txt"
FILES = (SETUP, REQUIREMENTS, PACKAGES)
MAX_PACKAGES = 500
MAX_IMAGE = 255  # characters of a Docker reference

_IMAGE_LINE = re.compile(r"#+\s*nsml\s*:\s*(\S+)", re.IGNORECASE)
# What may stand above the code: blanks, comments, the docstring.
_ABOVE = re.compile(
    r"""\s+ | (?P<comment>\#[^\n]*) | [rRuU]?(?: \"{3}(?s:.*?)\"{3} | '{3}(?s:.*?)'{3} | "[^"\n]*" | '[^'\n]*' )""",
    re.VERBOSE,
)
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]*(?::[a-z0-9]+)?(?:=[A-Za-z0-9.+~:-]+)?")


@dataclass(frozen=True)
class Needs:
    """What a folder asks for. `image`: the participant's own word, or None; `notes`: what the participant is to know."""

    image: str | None = None
    requirements: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_needs(read: ReadText) -> Needs:
    """Everything the folder asks for.

    Raises:
        Invalid: a line we do not install from (a path, no package's name), naming it.
    """
    setup, listed, packages = (_lines_of(read(name)) for name in FILES)
    named = [image for image in map(find_image, (setup, listed)) if image]
    notes = [*_find_misplaced(setup, SETUP), *_find_misplaced(listed, REQUIREMENTS)]
    requirements = Requirements(read)
    try:
        for line in clean_lines(read_install_requires(setup, read), f"install_requires in {SETUP}"):
            requirements.add(line)
    except Unreadable as error:
        notes.append(f"{SETUP}: {error}; nothing was installed from it. Write install_requires as a list of names.")
    requirements.add_file(REQUIREMENTS, listed)
    return Needs(
        image=named[0] if named else None,
        requirements=tuple(requirements.wanted),
        packages=tuple(_read_packages(packages)),
        notes=(*notes, *requirements.notes),
    )


def find_image(text: str) -> str | None:
    """The word after the first `#nsml:` above the code: among comments, and before or after the docstring."""
    position = 0
    while (above := _ABOVE.match(text, position)) is not None:
        position = above.end()
        image = _IMAGE_LINE.match(above["comment"] or "")
        if image is not None:
            return _shorten(image[1])
    return None


def key_of(python: str | None, requirements: Iterable[str], packages: Iterable[str] = ()) -> str:
    """Under which name an environment is kept: the same for the same Python and the same needs in any order.

    `python`: an interpreter, a reference or a runtime; None for the default.
    """
    wanted = sorted({_normalise(item) for item in requirements})
    return hashlib.sha256("\0".join([python or "", *wanted, "", *sorted(set(packages))]).encode()).hexdigest()


def _normalise(requirement: str) -> str:
    text = " ".join(requirement.split())
    return text if "://" in text else text.lower()


def _lines_of(text: str | None) -> str:
    return "\n".join((text or "").lstrip("\ufeff").splitlines())


def _shorten(image: str) -> str:
    """As it can be kept and shown, whatever it is."""
    return "".join(c if c.isprintable() else "?" for c in image[:MAX_IMAGE])


def _find_misplaced(text: str, file: str) -> Iterator[str]:
    """A sentence when the only `#nsml:` line of a file is one that does not count."""
    if find_image(text) is None:
        for number, line in enumerate(text.split("\n"), 1):
            image = _IMAGE_LINE.match(line.strip())
            if image is not None:
                yield f"{file} line {number} names the image {shown(image[1])} below the code, where it does not count"
                return


def _read_packages(text: str) -> dict[str, None]:
    found: dict[str, None] = {}
    for line in number_lines(text, PACKAGES):
        if not _PACKAGE.fullmatch(line.text):
            raise refuse(line, "this is not the name of a Debian package", "Write one package in each line.")
        found[line.text] = None
        if len(found) > MAX_PACKAGES:
            raise refuse(line, f"the folder asks for more than {MAX_PACKAGES} packages", "Name those you need.")
    return found
