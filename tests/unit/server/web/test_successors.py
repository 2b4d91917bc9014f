"""Forks, resumed sessions and inferences: begun by a form, and told on the pages of parent and child."""

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from nsml_server.storage.repositories import sessions
from nsml_server.storage.tables import Run, Session

SESSION = "/session/mina/kin/1"
CHILD = "/session/mina/kin/2"
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def code_with_an_entry(site: Any) -> None:
    site.change(Session, 1, entry="model")  # the one tree of these rows holds this file
    with site.platform.database.write() as tx:
        assert sessions.next_number(tx, 1, "kin") == 1


def wish(mina: TestClient, forms: Any, **more: str) -> dict[str, str]:
    """The fields of the form as a browser sends them."""
    once = re.findall(r'name="once" value="([^"]+)"', mina.get(SESSION).text)[-1]
    return {"checkpoint": "", "args": "--epochs 3", "gpus": "", "memo": "", "once": once,
            "csrf": forms.token(mina, SESSION), **more}  # fmt: skip


def test_a_fork_begins_and_the_page_leads_to_it(mina: TestClient, forms: Any) -> None:
    answer = mina.post(f"{SESSION}/fork", data=wish(mina, forms, checkpoint="3", args="--epochs 9", memo="longer"))
    assert (answer.status_code, answer.headers["location"]) == (303, CHILD)
    child = mina.get(CHILD).text
    for shown in ("normal/fork", "--epochs 9", "longer", f'href="{SESSION}"'):
        assert shown in child


def test_a_script_is_led_there_too(mina: TestClient, forms: Any) -> None:
    answer = mina.post(f"{SESSION}/fork", data=wish(mina, forms), headers=HTMX)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, CHILD)


def test_a_fork_pressed_twice_begins_once(mina: TestClient, forms: Any) -> None:
    fields = wish(mina, forms)
    for _ in range(2):
        assert mina.post(f"{SESSION}/fork", data=fields).headers["location"] == CHILD
    assert mina.get("/session/mina/kin/3").status_code == 404


def test_a_model_is_served_with_the_arguments_it_was_trained_with(mina: TestClient, forms: Any) -> None:
    assert mina.post(f"{SESSION}/infer", data=wish(mina, forms, args="--other 1")).headers["location"] == CHILD
    child = mina.get(CHILD).text
    assert "infer" in child
    assert "--epochs 3" in child
    assert "--other 1" not in child


def test_a_parent_s_page_lists_what_began_there_and_the_list_of_sessions_tells_too(
    mina: TestClient, forms: Any
) -> None:
    assert "Sessions that began here" not in mina.get(SESSION).text
    mina.post(f"{SESSION}/fork", data=wish(mina, forms))
    assert "Sessions that began here" in mina.get(SESSION).text
    assert f'href="{CHILD}"' in mina.get(SESSION).text
    rows = mina.get("/sessions").text
    assert "normal/fork" in rows
    assert "from mina/kin/1" in rows


def test_a_removed_parent_is_named_but_leads_nowhere(site: Any, mina: TestClient, forms: Any) -> None:
    mina.post(f"{SESSION}/fork", data=wish(mina, forms))
    site.change(Session, 1, deleted_at=1.0)
    child = mina.get(CHILD).text
    assert "mina/kin/1" in child
    assert f'href="{SESSION}"' not in child


@pytest.mark.parametrize(("state", "offered"), [("running", False), ("exited", False), ("stopped", True), ("failed", True)])  # fmt: skip
def test_resume_is_offered_for_what_did_not_end_by_itself(
    site: Any, mina: TestClient, state: str, offered: bool
) -> None:
    site.change(Run, 1, state=state)
    assert (f'action="{SESSION}/resume"' in mina.get(SESSION).text) == offered


def test_a_stopped_session_is_resumed_once_however_often_it_is_pressed(site: Any, mina: TestClient, forms: Any) -> None:
    site.change(Run, 1, state="stopped")
    once = re.findall(r'name="once" value="([^"]+)"', mina.get(SESSION).text)[0]
    for _ in range(2):
        answer = mina.post(f"{SESSION}/resume", data={"once": once, "csrf": forms.token(mina, SESSION)})
        assert answer.headers["location"] == CHILD
    assert "resume of mina/kin/1" in mina.get(CHILD).text
    assert mina.get("/session/mina/kin/3").status_code == 404


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [({"gpus": "many"}, "no number of GPUs"), ({"checkpoint": "9"}, "has no checkpoint"), ({"args": "'"}, "quotation")],
)
def test_a_wish_that_cannot_be_met_is_told_and_nothing_begins(
    mina: TestClient, forms: Any, fields: dict[str, str], sentence: str
) -> None:
    answer = mina.post(f"{SESSION}/fork", data=wish(mina, forms, **fields), headers=HTMX)
    assert answer.headers["hx-retarget"] == "#notice"
    assert sentence in answer.text
    assert mina.get(CHILD).status_code == 404
