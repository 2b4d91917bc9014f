"""From a template and values to HTML. Everything is escaped unless a template itself says otherwise; none does."""

from __future__ import annotations

import datetime
import functools
import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from nsml_server.web import formats
from nsml_server.web.i18n import LANGUAGES, translations_of
from nsml_server.web.reasons import heading_of

STATIC = Path(__file__).with_name("static")
TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Frame:
    """What every page shows around its content: who looks, in which language, at which address, on which platform."""

    language: str
    here: str
    query: Mapping[str, str]
    visitor: Any
    csrf: str
    platform: Mapping[str, Any]

    def render(self, template: str, **values: Any) -> str:
        """The HTML of a page or of a part of one."""
        return environment_of(self.language).get_template(template).render(self._context() | values)

    def _context(self) -> dict[str, Any]:
        return {
            "language": self.language,
            "languages": LANGUAGES,
            "here": self.here,
            "visitor": self.visitor,
            "platform": self.platform,
            "csrf_field": lambda: Markup('<input type="hidden" name="csrf" value="{}">').format(self.csrf),
            "language_query": lambda code: urlencode({**self.query, "lang": code}),
        }


@functools.cache
def environment_of(language: str) -> Environment:
    """The templates in one language."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    translations = translations_of(language)
    environment.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined]
    environment.filters |= {
        # For words that are not written in the template: `_()` would take its argument for markup.
        "translated": lambda text: translations.gettext(text) if text else "",
        "word": formats.word_of,
        "reason": heading_of,
        "tone": formats.tone_of,
        "order": formats.order_of,
        "number": formats.write_number,
        "size": formats.write_size,
        "duration": formats.write_duration,
        "time": formats.write_time,
    }
    environment.globals |= {
        "asset": asset_address,
        "elapsed": _elapsed,
        "using": _using,
        "first_items": _first_items,
    }
    return environment


@functools.cache
def asset_address(name: str) -> str:
    """The address of a file of static/, changing with its content so that browsers may keep it for good."""
    digest = hashlib.blake2b((STATIC / name).read_bytes(), digest_size=6).hexdigest()
    return f"/static/{name}?v={digest}"


def _elapsed(session: Mapping[str, Any]) -> float | None:
    return formats.elapsed_between(session["started_at"], session["ended_at"], datetime.datetime.now(datetime.UTC))


def _using(session: Mapping[str, Any]) -> list[str]:
    """Of one that has ended nothing: its last sample says nothing of now."""
    return [] if session["final"] else formats.list_uses(session["use"])


def _first_items(values: Mapping[str, Any], count: int) -> dict[str, Any]:
    return dict(itertools.islice(values.items(), count))
