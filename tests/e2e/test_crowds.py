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


def post(platform: Any, path: str, body: dict[str, Any], key: str) -> tuple[int, dict[str, Any]]:
    login = platform.login
    headers = {"Authorization": f"Bearer {login['token']}", "Idempotency-Key": key, "Content-Type": "application/json"}
    with closing(HTTPConnection(urlsplit(login["url"]).netloc, timeout=60)) as connection:
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


@pytest.fixture(scope="module")
def trained(platform: Any) -> str:
    """The name of a session that has a checkpoint."""
    platform.ctl("dataset", "push", "tiny", str(CASES / "datasets/tiny"), "-l", "--metric", "accuracy")
    name: str = platform.json("run", "-d", "tiny", "main.py", cwd=CASES / "cases/answers_right")["name"]
    assert platform.wait_for(name)["state"] == "exited"
    return name


def test_two_hundred_sessions_queued_at_once_all_end(platform: Any, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("print('done')\n")
    with ThreadPoolExecutor(8) as people:
        runs = [people.submit(platform.json, "run", "main.py", "-m", str(n), cwd=tmp_path) for n in range(200)]
        names = [run.result()["name"] for run in runs]
    assert sorted(int(name.rsplit("/", 1)[1]) for name in names) == list(range(1, 201)), "numbers without a gap"
    for name in names:
        platform.ctl("logs", "-f", name)
    rows = platform.json("ps", "-a", "-n", "1000")
    sessions = rows if isinstance(rows, list) else rows["sessions"]
    assert collections.Counter(session["state"] for session in sessions) == {"exited": 200}


def test_two_submits_at_the_same_instant_are_two_rows(platform: Any, trained: str) -> None:
    barrier = threading.Barrier(2)

    def submit(key: str) -> tuple[int, dict[str, Any]]:
        barrier.wait()
        return post(platform, f"/api/v1/sessions/{trained}/submissions", {"checkpoint": None}, key)

    with ThreadPoolExecutor(2) as people:
        answers = list(people.map(submit, ["one", "two"]))
    assert [status for status, _ in answers] == [201, 201]
    assert len({answer["id"] for _, answer in answers}) == 2
    platform.ctl("submit", trained)  # comes after both, so they have been scored when it is
    assert platform.json("dataset", "board", "tiny")["entries"][0]["count"] == 3


def test_the_same_submit_sent_twice_is_one_row(platform: Any, trained: str) -> None:
    path = f"/api/v1/sessions/{trained}/submissions"
    first, second = [post(platform, path, {"checkpoint": None}, "the same key") for _ in range(2)]
    assert first[1]["id"] == second[1]["id"]
