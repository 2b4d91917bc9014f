"""Korean and English: every message is in both catalogues, and the reader's language is chosen."""

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from nsml_server import web
from nsml_server.web.i18n import LANGUAGES, catalogue_path, choose_language, translations_of

WEB = Path(web.__file__).parent
PLACEHOLDER = re.compile(r"%\(\w+\)s")


def messages_in_use() -> set[str]:
    """What templates and modules ask to be translated."""
    found = extract_from_dir(
        WEB,
        [("**.py", "python"), ("**.html", "jinja2")],
        options_map={"**.html": {"extensions": "jinja2.ext.i18n"}},
        keywords={"_": None, "gettext": None, "mark": None},
    )
    return {str(message) for _, _, message, _, _ in found}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_message_is_missing_in_a_catalogue_and_none_is_left_over(language: str) -> None:
    with catalogue_path(language).open("rb") as source:
        catalogue = read_po(source, locale=language)
    translated = {str(message.id) for message in catalogue if message.id and message.string}
    assert translated == messages_in_use()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_keeps_the_placeholders(language: str) -> None:
    for message in messages_in_use():
        assert sorted(PLACEHOLDER.findall(translations_of(language).gettext(message))) == sorted(
            PLACEHOLDER.findall(message)
        )


def test_korean_is_korean() -> None:
    assert translations_of("ko").gettext("Leaderboard") == "리더보드"
    assert translations_of("en").gettext("Leaderboard") == "Leaderboard"


@pytest.mark.parametrize(
    ("chosen", "header", "language"),
    [
        (None, None, "en"),
        (None, "ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        (None, "fr, en;q=0.4, ko;q=0.7", "ko"),
        (None, "ko;q=0, en", "en"),
        (None, "fr", "en"),
        (None, "ko;q=much", "en"),
        ("en", "ko", "en"),
        ("../../etc", "ko", "ko"),
    ],
)
def test_the_language_is_the_one_chosen_else_the_browser_s(
    chosen: str | None, header: str | None, language: str
) -> None:
    assert choose_language(chosen, header) == language
