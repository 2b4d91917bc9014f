"""Logging in and out, and forms: only our own pages can send them, and a button pressed twice acts once."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from nsml_server.services import accounts, samples
from nsml_server.settings import Settings
from nsml_server.storage.tables import Run

SESSION = "/session/mina/kin/1"
HTMX = {"HX-Request": "true"}


def submissions(site: Any) -> int:
    with site.platform.database.read() as tx:
        return int(tx.connection().exec_driver_sql("SELECT count(*) FROM submissions").scalar_one())


def test_a_token_logs_a_browser_in_with_a_token_of_its_own(site: Any, stranger: TestClient, forms: Any) -> None:
    data = {"token": f" {site.tokens['mina']}\n", "csrf": forms.token(stranger, "/login"), "next": SESSION}
    answer = stranger.post("/login", data=data)
    assert (answer.status_code, answer.headers["location"]) == (303, SESSION)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert site.tokens["mina"] not in cookie
    assert stranger.get(SESSION).status_code == 200


@pytest.mark.parametrize(("public", "secure"), [("http://nsml.test", False), ("https://nsml.test", True)])
def test_behind_a_proxy_that_ends_tls_cookies_travel_over_tls_only(
    site: Any, stranger: TestClient, public: str, secure: bool
) -> None:
    object.__setattr__(site.platform, "settings", Settings(public_url=public))
    assert ("Secure" in stranger.get("/login").headers["set-cookie"]) is secure


def test_a_wrong_token_is_told_and_nobody_is_logged_in(stranger: TestClient, forms: Any) -> None:
    answer = stranger.post("/login", data={"token": "nsml_wrong", "csrf": forms.token(stranger, "/login")})
    assert answer.status_code == 401
    assert "This token is wrong" in answer.text
    assert stranger.get("/sessions").status_code == 303


@pytest.mark.parametrize("next_page", ["//evil.example", "https://evil.example/", "/\\evil.example"])
def test_a_login_leads_to_no_other_site(site: Any, stranger: TestClient, forms: Any, next_page: str) -> None:
    shown = stranger.get("/login", params={"next": next_page}).text
    assert "evil.example" not in re.findall(r'name="next" value="([^"]*)"', shown)[0]
    data = {"token": site.tokens["mina"], "csrf": forms.token(stranger, "/login"), "next": next_page}
    assert stranger.post("/login", data=data).headers["location"] == "/"


def test_a_link_logs_in_once_and_only_when_its_button_is_pressed(site: Any, stranger: TestClient, forms: Any) -> None:
    platform = site.platform
    with platform.database.write() as tx:
        caller = accounts.authenticate(tx, site.tokens["mina"], platform.now())
        url = accounts.make_login_link(tx, caller, "http://here", platform.now())
    path = url.removeprefix("http://here")
    token = forms.token(stranger, path)
    assert stranger.get(path).status_code == 200
    assert stranger.get("/sessions").status_code == 303
    assert stranger.post(path, data={"csrf": token}).status_code == 303
    assert stranger.get("/sessions").status_code == 200
    assert stranger.post(path, data={"csrf": forms.token(stranger, "/")}).status_code == 401


def test_after_a_logout_the_old_cookie_opens_nothing(mina: TestClient, forms: Any) -> None:
    kept = mina.cookies["nsml_browser"]
    assert mina.post("/logout", data={"csrf": forms.token(mina, "/")}).status_code == 303
    mina.cookies.set("nsml_browser", kept)
    assert mina.get("/sessions").status_code == 303


CHANGES = [
    *(
        f"{SESSION}/{verb}"
        for verb in (
            "stop",
            "memo",
            "submit",
            "rehearse",
            "fork",
            "infer",
            "resume",
            "console",
            "console/infer",
            "console/save",
        )
    ),
    "/submission/1/cancel",
]


@pytest.mark.parametrize("path", [*CHANGES, "/logout"])
@pytest.mark.parametrize("token", [None, "", "wrong", "ä"])
def test_a_form_of_another_site_does_nothing(mina: TestClient, site: Any, path: str, token: str | None) -> None:
    data = {"checkpoint": "3", "once": "k", "memo": "x"} | ({} if token is None else {"csrf": token})
    assert mina.post(path, data=data).status_code == 403
    assert submissions(site) == 1
    assert mina.get("/sessions").status_code == 200


def test_another_browser_s_form_token_does_not_fit(mina: TestClient, juno: TestClient, forms: Any) -> None:
    assert mina.post("/logout", data={"csrf": forms.token(juno, "/")}).status_code == 403


@pytest.mark.parametrize("path", CHANGES)
def test_nobody_changes_what_is_somebody_else_s(juno: TestClient, site: Any, forms: Any, path: str) -> None:
    data = {"checkpoint": "3", "once": "k", "memo": "x", "csrf": forms.token(juno, "/")}
    assert juno.post(path, data=data).status_code == 404
    assert submissions(site) == 1


def test_a_submit_button_pressed_twice_submits_once(mina: TestClient, site: Any, forms: Any) -> None:
    page = mina.get(SESSION).text
    once = re.findall(r'name="once" value="([^"]+)"', page)[0]
    data = {"checkpoint": "3", "once": once, "csrf": forms.token(mina, SESSION)}
    first = mina.post(f"{SESSION}/submit", data=data, headers=HTMX)
    assert first.status_code == 200
    assert "Queued" in first.text
    assert "<html" not in first.text
    assert mina.post(f"{SESSION}/submit", data=data).headers["location"] == SESSION
    assert submissions(site) == 2
    # The page that shows the new one offers a new press.
    again = re.findall(r'name="once" value="([^"]+)"', mina.get(SESSION).text)[0]
    assert again != once


def test_a_rehearsal_is_marked_as_one_shows_its_log_and_counts_nowhere(
    mina: TestClient, site: Any, forms: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Which files make the sample is the service's own affair; here there is one.
    monkeypatch.setattr(samples, "of_version", lambda platform, tx, dataset, version: version.manifest)
    data = {"checkpoint": "3", "once": "k", "csrf": forms.token(mina, SESSION)}
    assert "rehearsal" in mina.post(f"{SESSION}/rehearse", data=data, headers=HTMX).text
    with site.platform.database.read() as tx:
        run_id = int(tx.connection().exec_driver_sql("SELECT max(id) FROM runs").scalar_one())
    site.platform.streams.append(run_id, "log", 0, b"loading <b>\n")
    page = mina.get("/submission/2").text
    assert "public sample" in page
    assert "loading &lt;b&gt;" in page
    assert "public sample" not in mina.get("/submission/1").text


def test_without_a_sample_a_rehearsal_says_so_and_is_no_submit(mina: TestClient, site: Any, forms: Any) -> None:
    data = {"checkpoint": "3", "once": "k", "csrf": forms.token(mina, SESSION)}
    answer = mina.post(f"{SESSION}/rehearse", data=data, headers=HTMX)
    assert answer.status_code == 409
    assert submissions(site) == 1


def test_what_went_wrong_is_told_above_the_page(mina: TestClient, forms: Any) -> None:
    data = {"checkpoint": "<b>none</b>", "once": "k", "csrf": forms.token(mina, SESSION)}
    answer = mina.post(f"{SESSION}/submit", data=data, headers=HTMX)
    assert answer.status_code == 404
    assert answer.headers["hx-retarget"] == "#notice"
    assert "<b>none" not in answer.text
    assert "none" in answer.text


def test_stop_and_memo_answer_with_their_part_of_the_page(mina: TestClient, site: Any, forms: Any) -> None:
    token = forms.token(mina, SESSION)
    memo = mina.post(f"{SESSION}/memo", data={"memo": " second <try> ", "csrf": token}, headers=HTMX)
    assert 'value="second &lt;try&gt;"' in memo.text
    stopped = mina.post(f"{SESSION}/stop", data={"csrf": token}, headers=HTMX)
    assert "Stopping" in stopped.text
    with site.platform.database.read() as tx:
        assert tx.get_one(Run, site.run_id).state.value == "stopping"


def test_a_cancelled_submission_says_so(mina: TestClient, site: Any, forms: Any) -> None:
    token = forms.token(mina, SESSION)
    mina.post(f"{SESSION}/submit", data={"checkpoint": "3", "once": "k", "csrf": token})
    answer = mina.post("/submission/2/cancel", data={"csrf": token}, headers=HTMX)
    assert "Cancelled" in answer.text
    assert mina.post("/submission/2/cancel", data={"csrf": token}).headers["location"] == "/submission/2"


@pytest.mark.parametrize("path", ["/login", f"{SESSION}/memo"])
def test_a_form_has_a_largest_size(stranger: TestClient, path: str) -> None:
    assert stranger.post(path, data={"token": "x" * 200_000}).status_code == 413


def test_pages_are_never_framed_and_cookies_never_seen_by_scripts(browser: Callable[[str], TestClient]) -> None:
    answer = browser("mina").get("/")
    assert answer.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
