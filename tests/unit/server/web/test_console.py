"""The console of a session's page: what goes to the program, and how its answer is shown."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from nsml_server.services import questions
from nsml_server.storage.tables import Node, Run
from nsml_server.web.console import SHOWN, as_text, read_body

SESSION = "/session/mina/kin/1"
HTMX = {"HX-Request": "true"}
EVIL = "<script>alert(1)</script>\x1b[31m\u202e"


@pytest.fixture
def program(site: Any) -> Iterator[Callable[[dict[str, Any]], list[Any]]]:
    """A node that runs mina's session: `program(said)` lets it answer the next question so; what it was asked is kept."""
    with site.platform.database.write() as tx:
        tx.add(Node(id=1, name="local", capacity={}, connected=True, seen_at=site.platform.now()))
        tx.flush()
    site.change(Run, site.run_id, node_id=1)
    threads: list[threading.Thread] = []
    over = threading.Event()

    def answer_with(said: dict[str, Any]) -> list[Any]:
        asked: list[Any] = []
        thread = threading.Thread(target=answer_next, args=(site.platform, said, asked, over))
        thread.start()
        threads.append(thread)
        return asked

    yield answer_with
    over.set()
    for thread in threads:
        thread.join()


def answer_next(platform: Any, said: dict[str, Any], asked: list[Any], over: threading.Event) -> None:
    while not asked and not over.wait(0.005):
        with platform.database.write() as tx:
            node = tx.get_one(Node, 1)
            for question in questions.take(platform, tx, node):
                asked.append(question["asked"])
                questions.answer(platform, tx, node, question["id"], said)


def test_an_expression_goes_to_the_program_and_its_answer_comes_back(
    mina: TestClient, forms: Any, program: Any
) -> None:
    asked = program({"answer": {"output": "0.25", "error": None}})
    answer = mina.post(
        f"{SESSION}/console", data={"code": "a = 1\r\na", "csrf": forms.token(mina, SESSION)}, headers=HTMX
    )
    assert answer.status_code == 200
    assert "0.25" in answer.text
    assert "<html" not in answer.text
    assert asked == [{"do": "exec", "code": "a = 1\na"}]


def test_without_scripts_the_answer_is_a_page_that_leads_back(mina: TestClient, forms: Any, program: Any) -> None:
    program({"answer": {"output": "0.25"}})
    answer = mina.post(f"{SESSION}/console", data={"code": "lr", "csrf": forms.token(mina, SESSION)})
    assert "<html" in answer.text
    assert f'href="{SESSION}#console-title"' in answer.text


def test_what_a_program_answers_is_text_and_nothing_else(mina: TestClient, forms: Any, program: Any) -> None:
    program({"answer": {"output": EVIL, "error": EVIL}})
    html = mina.post(f"{SESSION}/console", data={"code": EVIL, "csrf": forms.token(mina, SESSION)}, headers=HTMX).text
    assert html.count("&lt;script&gt;") == 3
    for part in ("<script>", "\x1b", "\u202e"):
        assert part not in html


def test_a_program_without_a_console_says_what_to_add(mina: TestClient, forms: Any, program: Any) -> None:
    program({"fault": "no_console"})
    answer = mina.post(f"{SESSION}/console", data={"code": "lr", "csrf": forms.token(mina, SESSION)}, headers=HTMX)
    assert "nsml.report(scope=locals())" in answer.text


def test_a_session_that_ended_has_no_console_and_answers_nothing(site: Any, mina: TestClient, forms: Any) -> None:
    assert 'id="console-code"' in mina.get(SESSION).text
    site.change(Run, site.run_id, state="exited")
    assert 'id="console-code"' not in mina.get(SESSION).text
    answer = mina.post(f"{SESSION}/console", data={"code": "lr", "csrf": forms.token(mina, SESSION)}, headers=HTMX)
    assert "cannot be asked" in answer.text


def test_only_an_inference_has_a_field_for_inputs(site: Any, mina: TestClient) -> None:
    assert "infer-body" not in mina.get(SESSION).text
    site.change(Run, site.run_id, kind="serve")
    assert "infer-body" in mina.get(SESSION).text


def test_an_input_reaches_infer_as_it_was_meant(mina: TestClient, forms: Any, program: Any) -> None:
    asked = program({"answer": {"output": [["좋다", 0.9]]}})
    data = {"body": '[["a", "b"]]', "kind": "json", "csrf": forms.token(mina, SESSION)}
    answer = mina.post(f"{SESSION}/console/infer", data=data, headers=HTMX)
    assert "좋다" in answer.text
    assert asked == [{"do": "infer", "args": [[["a", "b"]]]}]


def test_a_checkpoint_is_saved_when_its_owner_says_so(mina: TestClient, forms: Any, program: Any) -> None:
    asked = program({"answer": {"output": "saved"}})
    data = {"checkpoint": " now ", "csrf": forms.token(mina, SESSION)}
    assert "saved" in mina.post(f"{SESSION}/console/save", data=data, headers=HTMX).text
    assert asked == [{"do": "save", "name": "now"}]


@pytest.mark.parametrize(
    ("body", "kind", "given"),
    [
        ("[1, 2]", "json", {"args": [[1, 2]]}),
        ("hello there", "json", {"args": ["hello there"]}),
        ("[1, 2]", "text", {"args": ["[1, 2]"]}),
        ("hello", "list_string", {"args": ["hello"], "app_type": "list_string"}),
        ("[" * 100_000, "json", {"args": ["[" * 100_000]}),
    ],
)
def test_a_body_is_read_as_chosen(body: str, kind: str, given: dict[str, Any]) -> None:
    assert read_body(body, kind) == given


def test_a_long_answer_is_cut_on_the_page() -> None:
    assert len(as_text("x" * 2 * SHOWN)) == SHOWN + 2
