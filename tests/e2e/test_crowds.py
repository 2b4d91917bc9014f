"""Many at once: all end, none doubled."""

import collections
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

CASES = Path(__file__).parents[1] / "programs"


def call(platform: Any, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
    login = platform.login
    headers |= {"Authorization": f"Bearer {login['token']}", "Content-Type": "application/json"}
    with closing(HTTPConnection(urlsplit(login["url"]).netloc, timeout=180)) as connection:
        connection.request(method, f"/api/v1{path}", json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def submit(platform: Any, session: str, key: str) -> tuple[int, dict[str, Any]]:
    return call(platform, "POST", f"/sessions/{session}/submissions", {"checkpoint": None}, **{"Idempotency-Key": key})


@pytest.fixture(scope="module")
def trained(platform: Any) -> str:
    """The name of a session that has a checkpoint."""
    platform.ctl("dataset", "push", "tiny", str(CASES / "datasets/tiny"), "-l", "--metric", "accuracy")
    name: str = platform.json("run", "-d", "tiny", "main.py", cwd=CASES / "cases/answers_right")["name"]
    assert platform.wait_for(name)["state"] == "exited"
    return name


@pytest.mark.timeout(1800)  # each is started and followed by a client of its own
def test_two_hundred_sessions_queued_at_once_all_end(platform: Any, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("print('done')\n")
    with ThreadPoolExecutor(8) as people:
        runs = [people.submit(platform.json, "run", "main.py", "-m", str(n), cwd=tmp_path) for n in range(200)]
        names = [run.result()["name"] for run in runs]
    assert sorted(int(name.rsplit("/", 1)[1]) for name in names) == list(range(1, 201)), "numbers without a gap"
    for name in names:
        platform.ctl("logs", "-f", name)
    rows = platform.json("ps", "-a", "-n", "1000")
    states = {session["name"]: session["state"] for session in rows["sessions"]}
    assert collections.Counter(states[name] for name in names) == {"exited": 200}


def test_two_submits_at_the_same_instant_are_two_rows(platform: Any, trained: str, wait_until: Any) -> None:
    barrier = threading.Barrier(2)

    def submit_with(key: str) -> tuple[int, dict[str, Any]]:
        barrier.wait()
        return submit(platform, trained, key)

    with ThreadPoolExecutor(2) as people:
        answers = list(people.map(submit_with, ["one", "two"]))
    assert [status for status, _ in answers] == [201, 201]
    numbers = {answer["id"] for _, answer in answers}
    assert len(numbers) == 2
    wait_until(lambda: all(call(platform, "GET", f"/submissions/{number}")[1]["final"] for number in numbers))
    assert platform.json("dataset", "board", "tiny")["entries"][0]["count"] == 2


def test_the_same_submit_sent_twice_is_one_row(platform: Any, trained: str) -> None:
    first, second = [submit(platform, trained, "the same key") for _ in range(2)]
    assert first[1]["id"] == second[1]["id"]
