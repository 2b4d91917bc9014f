"""What a session's programs run in: worked out anew from its code and the image table whenever it is asked for."""

from __future__ import annotations

import codecs
import functools

from nsml_server.domain.requirements import Needs, key_of, read_needs
from nsml_server.errors import Invalid, NsmlError
from nsml_server.services import files, images, nodes
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction
from nsml_server.storage.repositories import manifests
from nsml_server.storage.tables import Session
from nsml_worker.contract import Environment, Tree

MAX_TEXT = 256 * 1024  # bytes of a file that says what is needed


def needs_of(platform: Platform, tree: Tree) -> Needs:
    """What an uploaded folder asks for. Raises Invalid, naming the file and the line."""
    return read_needs(functools.partial(_read, platform, tree))


def choose_image(platform: Platform, tx: ReadTransaction, tree: Tree) -> str:
    """The image the folder names, or the platform's.

    Raises:
        Invalid: what it asks for cannot be had here.
    """
    image = needs_of(platform, tree).image or platform.settings.image
    images.resolve(platform, tx, image)
    return image


def of_session(platform: Platform, tx: ReadTransaction, session: Session) -> Environment:
    """For the worker. What was accepted and is no longer known comes as `unavailable`, with the reason."""
    try:
        needs = needs_of(platform, manifests.load(tx, session.code))
        meaning = images.resolve(platform, tx, session.image)
    except NsmlError as error:
        return Environment(unavailable=error.message)
    return Environment(
        interpreter=meaning.interpreter,
        reference=meaning.reference,
        runtime=meaning.runtime,
        requirements=needs.requirements,
        packages=needs.packages,
        key=key_of(meaning.interpreter or meaning.reference or meaning.runtime, needs.requirements, needs.packages),
    )


def notes_of(platform: Platform, tx: ReadTransaction, session: Session) -> list[str]:
    """What the participant is to know about where this session runs; sentences."""
    try:
        needs = needs_of(platform, manifests.load(tx, session.code))
        meaning = images.resolve(platform, tx, session.image)
    except NsmlError as error:
        return [error.message]
    notes = [*meaning.notes, *(note.rstrip(".") for note in needs.notes)]
    if needs.packages and (meaning.interpreter is not None or not nodes.have_containers(tx)):
        notes.append(
            f"nsml_package.txt asks for {', '.join(needs.packages)}: where programs run without a container, only the "
            "operator can install Debian packages"
        )
    return [f"{note}." for note in notes]  # each begins with a name, which keeps its own letters


def _read(platform: Platform, tree: Tree, path: str) -> str | None:
    data = files.read_text(platform, tree, path, MAX_TEXT)
    if data is None:
        return None
    if len(data) > MAX_TEXT:
        said = f"{path} is longer than {MAX_TEXT:,} bytes."
        raise Invalid(said, hint="Write in it only what the program needs.")
    # Windows' PowerShell writes `pip freeze > requirements.txt` in UTF-16.
    return data.decode("utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8", "replace")
