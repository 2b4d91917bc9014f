"""The two languages of the pages: which one a visitor reads, and the catalogues behind the templates' `_()`.

Catalogues are kept as text (`locale/<language>/LC_MESSAGES/web.po`) and read when first asked for: they are small, and a
compiled copy could disagree with its source.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterable
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

LANGUAGES = {"en": "English", "ko": "한국어"}
DEFAULT = "en"
LOCALE = Path(__file__).with_name("locale")


def mark(message: str) -> str:
    """Mark a message for the catalogues where it is written; it is translated where it is shown."""
    return message


def catalogue_path(language: str) -> Path:
    """Where the catalogue of a language lies."""
    return LOCALE / language / "LC_MESSAGES" / "web.po"


@functools.cache
def translations_of(language: str) -> Translations:
    """The catalogue of a language; a message missing there is shown as it is written in the template."""
    with catalogue_path(language).open("rb") as source:
        catalogue = read_po(source, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


def choose_language(chosen: str | None, accept_language: str | None) -> str:
    """The language of a page: what the visitor chose, else the first of the browser's that we speak, else English."""
    if chosen in LANGUAGES:
        return chosen
    return next((tag for tag in _tags_by_weight(accept_language or "") if tag in LANGUAGES), DEFAULT)


def _tags_by_weight(header: str) -> Iterable[str]:
    parts = [part.partition(";") for part in header[:500].split(",")]
    weighed = sorted(((_weight(rest), tag) for tag, _, rest in parts), key=lambda pair: -pair[0])
    return [tag.strip().lower().partition("-")[0] for weight, tag in weighed if weight > 0]


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
