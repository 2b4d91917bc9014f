"""Questions to live programs: relayed to the node that has the box, answered once, forgotten."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from nsml_server.services import questions
from nsml_server.storage.tables import Question


@pytest.fixture
def running(mina: Any, worker: Any) -> str:
    """A session of mina's that runs."""
    mina.push()
    worker.hello()
    name: str = mina.run().json()["name"]
    worker.take_one().tell("started")
    return name


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as made:
        yield made


@pytest.fixture
def ask(mina: Any, running: str, pool: ThreadPoolExecutor) -> Any:
    """Ask in a thread of its own: the answer comes when the worker has brought it."""

    def start(**asked: Any) -> Future[Any]:
        return pool.submit(mina.call, "POST", f"/sessions/{running}/ask", json=asked)

    return start


def fetch(worker: Any, wait: float = 20) -> Any:
    headers = {"Authorization": f"Bearer {worker.token}"}
    path = f"/agent/v1/nodes/{worker.name}/questions"
    return worker.client.get(path, params={"wait": wait}, headers=headers).json()["questions"]


def bring(worker: Any, number: int, said: Any) -> Any:
    return worker.call(f"questions/{number}", said)


def count(platform: Any) -> Any:
    with platform.database.read() as tx:
        return tx.scalar(select(func.count()).select_from(Question))


def test_a_question_reaches_the_box_and_its_answer_comes_back(ask: Any, worker: Any, platform: Any) -> None:
    asked = ask(do="exec", code="1 + 1")
    (question,) = fetch(worker)
    assert (question["run"], question["attempt"], question["asked"]) == (1, 1, {"do": "exec", "code": "1 + 1"})
    bring(worker, question["id"], {"answer": {"output": "2", "error": None, "secret": "x"}})
    assert asked.result().json() == {"output": "2", "error": None, "exit_code": None}
    assert count(platform) == 0


def test_a_question_is_given_out_once(ask: Any, worker: Any) -> None:
    asked = ask(do="sh", argv=["ls"])
    (question,) = fetch(worker)
    assert fetch(worker, wait=0) == []
    bring(worker, question["id"], {"answer": {"output": "main.py", "exit_code": 0}})
    bring(worker, question["id"], {"answer": {"output": "again"}})
    assert asked.result().json()["exit_code"] == 0


def test_what_is_not_given_is_not_passed_on(ask: Any, worker: Any) -> None:
    asked = ask(do="infer", args=[[1, 2]])
    (question,) = fetch(worker)
    assert question["asked"] == {"do": "infer", "args": [[1, 2]]}, (
        "without app_type the arguments reach infer as they are"
    )
    bring(worker, question["id"], {"answer": {"output": [0.5]}})
    assert asked.result().json()["output"] == [0.5]


@pytest.mark.parametrize(("fault", "code"), [("no_console", "no_console"), ("silent", "no_answer")])
def test_a_program_that_does_not_answer_is_told_as_such(ask: Any, worker: Any, fault: str, code: str) -> None:
    asked = ask(do="exec", code="x")
    (question,) = fetch(worker)
    bring(worker, question["id"], {"fault": fault})
    refused = asked.result()
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, code)


def test_what_a_program_answers_is_never_taken_for_more_than_text(ask: Any, worker: Any) -> None:
    asked = ask(do="exec", code="x")
    (question,) = fetch(worker)
    bring(worker, question["id"], {"answer": ["odd"]})
    assert asked.result().json() == {"output": None, "error": None, "exit_code": None}


def test_a_worker_that_brings_nothing_ends_the_wait(
    ask: Any, worker: Any, platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "PATIENCE", 0.05)
    asked = ask(do="exec", code="x").result()
    assert asked.json()["error"]["code"] == "no_answer"
    assert count(platform) == 0
    assert fetch(worker, wait=0) == [], "nobody waits for it any more"


@pytest.mark.parametrize("asked", [{"do": "exec"}, {"do": "fly"}, {"do": "sh", "argv": []}, {"do": "exec", "code": 1}])
def test_what_is_no_question_is_refused(mina: Any, running: str, asked: dict[str, Any]) -> None:
    assert mina.call("POST", f"/sessions/{running}/ask", json=asked).status_code == 422


def test_a_question_has_a_size(mina: Any, running: str) -> None:
    large = {"do": "exec", "code": "x" * questions.MAX_QUESTION}
    assert mina.call("POST", f"/sessions/{running}/ask", json=large).status_code == 413


def test_what_does_not_run_cannot_be_asked(mina: Any, trained: str) -> None:
    refused = mina.call("POST", f"/sessions/{trained}/ask", json={"do": "exec", "code": "x"}).json()["error"]
    assert (refused["code"], refused["hint"]) == (
        "not_running",
        f"Start one from its checkpoint: `nsmlctl infer {trained}`.",
    )


def test_what_is_stopping_is_not_waited_for(mina: Any, running: str) -> None:
    mina.call("POST", f"/sessions/{running}/stop", json={})
    refused = mina.call("POST", f"/sessions/{running}/ask", json={"do": "exec", "code": "x"}).json()["error"]
    assert refused["message"].endswith("it is stopping.")
    assert "Wait" not in refused["hint"]


def test_a_session_has_only_so_many_questions_at_a_time(ask: Any, mina: Any, running: str, worker: Any) -> None:
    asked = [ask(do="exec", code=str(number)) for number in range(questions.MAX_OPEN)]
    found: list[Any] = []
    while len(found) < questions.MAX_OPEN:
        found += fetch(worker)
    refused = mina.call("POST", f"/sessions/{running}/ask", json={"do": "exec", "code": "more"})
    assert refused.status_code == 429
    for question in found:
        bring(worker, question["id"], {"answer": {"output": question["asked"]["code"]}})
    assert [one.result().json()["output"] for one in asked] == ["0", "1", "2", "3"]


def test_nobody_asks_a_program_that_is_not_theirs(stranger: Any, running: str) -> None:
    assert stranger.call("POST", f"/sessions/{running}/ask", json={"do": "exec", "code": "x"}).status_code == 404


def test_one_node_neither_sees_nor_answers_what_is_asked_of_another(
    ask: Any, worker: Any, join: Any, client: Any
) -> None:
    admin = join("root", admin=True)
    other = admin.call("POST", "/nodes", json={"name": "node-2"}).json()["token"]
    headers = {"Authorization": f"Bearer {other}"}
    asked = ask(do="exec", code="x")
    (question,) = fetch(worker)
    assert client.get("/agent/v1/nodes/node-2/questions", headers=headers).json() == {"questions": []}
    forged = client.post(
        f"/agent/v1/nodes/node-2/questions/{question['id']}", headers=headers, json={"answer": {"output": "forged"}}
    )
    assert forged.status_code == 200
    bring(worker, question["id"], {"answer": {"output": "real"}})
    assert asked.result().json()["output"] == "real"
