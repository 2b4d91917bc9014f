"""A real browser for the tests of pages; only what asks for it needs one."""

from collections.abc import Iterator
from typing import Any

import pytest

SWITCHES = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def chromium(patience: float) -> Iterator[Any]:
    """Debian's browser."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=patience * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=SWITCHES, timeout=patience * 1000
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any, platform: Any, patience: float) -> Iterator[Any]:
    """A fresh browser. What its console complains of, and what its content policy refuses, fails the test."""
    context = chromium.new_context(base_url=platform.login["url"], locale="en-GB")
    context.set_default_timeout(patience * 1000)
    tab = context.new_page()
    complaints: list[str] = []
    elsewhere: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on(
        "request",
        lambda request: None if request.url.startswith(platform.login["url"]) else elsewhere.append(request.url),
    )
    tab.add_init_script(
        "document.addEventListener('securitypolicyviolation', e => console.error('refused: ' + e.violatedDirective))"
    )
    yield tab
    context.close()
    assert complaints == []
    assert elsewhere == []


@pytest.fixture
def mine(page: Any, platform: Any) -> Any:
    """The same, logged in."""
    page.goto("/login?next=/sessions")
    page.fill("#token", platform.login["token"])
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/sessions")
    return page
