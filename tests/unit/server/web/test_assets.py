"""Everything a page needs is in the package: nothing is fetched from elsewhere, and no script or style is inline."""

import re
from pathlib import Path

import pytest

from nsml_server import web
from nsml_server.web.headers import CONTENT_POLICY
from nsml_server.web.rendering import STATIC, asset_address

WEB = Path(web.__file__).parent
TEMPLATES = sorted((WEB / "templates").glob("*.html"))
ASSETS = sorted(path for path in STATIC.rglob("*") if path.suffix in {".js", ".css", ".svg"})
ADDRESS = re.compile(r"""(?:https?:)?//[a-z0-9-]+\.[a-z]{2,}[^\s"'`)]*""", re.IGNORECASE)
# Names, never fetched: the XML namespaces, and uPlot's own licence line.
HARMLESS = ("http://www.w3.org/", "https://github.com/leeoniya/uPlot")


@pytest.mark.parametrize("path", [*TEMPLATES, *ASSETS], ids=lambda path: path.name)
def test_nothing_comes_from_another_site(path: Path) -> None:
    found = [address for address in ADDRESS.findall(path.read_text()) if not address.startswith(HARMLESS)]
    assert found == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_holds_a_script_a_style_or_an_unescaped_value(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|hx-on|javascript:", text, re.IGNORECASE)
    assert not re.search(r"\|\s*safe\b|autoescape", text)
    # `_()` trusts its argument as markup: it may only be given what the template itself says.
    assert not re.search(r"""\b_\((?!["'])""", text)


def test_each_vendored_library_comes_with_its_licence() -> None:
    names = {path.name.split(".")[0] for path in (STATIC / "vendor").iterdir()}
    assert names == {"htmx", "htmx-sse", "uplot"}
    assert all((STATIC / "vendor" / f"{name}.LICENSE").stat().st_size > 300 for name in names)


def test_the_content_policy_allows_nothing_inline_and_nothing_from_elsewhere() -> None:
    assert "unsafe" not in CONTENT_POLICY
    assert "default-src 'self'" in CONTENT_POLICY
    assert "*" not in CONTENT_POLICY


def test_an_asset_s_address_changes_with_its_content() -> None:
    assert re.fullmatch(r"/static/site\.css\?v=[0-9a-f]{12}", asset_address("site.css"))
