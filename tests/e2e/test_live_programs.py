"""fork, resume, infer, exec and a checkpoint of another session, with the real SDK in real boxes."""

from pathlib import Path
from typing import Any

import httpx2
import pytest

PROGRAM = """
import argparse, os, sys, time
import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
parser.add_argument("--borrow", default="")
parser.add_argument("--wait", type=int, default=0)
config = parser.parse_args()
weight = 0

def save(path, **kwargs):
    with open(os.path.join(path, "weight"), "w") as file:
        file.write(str(weight))

def load(path, **kwargs):
    global weight
    with open(os.path.join(path, "weight")) as file:
        weight = int(file.read())

def infer(x):
    return [weight * value for value in x]

nsml.bind(save=save, load=load, infer=infer)
if config.pause:
    nsml.paused(scope=locals())
if config.borrow:
    nsml.load("1", session=config.borrow)
print("begins at", weight, "iteration", config.iteration, flush=True)
weight += 1
nsml.save(str(weight))
nsml.report(scope=locals(), step=weight)
until = time.time() + config.wait
while time.time() < until and not os.path.exists("/tmp/enough"):
    time.sleep(0.02)
print("ends at", weight)
"""


class Api:
    """The HTTP API as any program uses it."""

    def __init__(self, platform: Any, patience: float, wait_until: Any) -> None:
        self._url, self._token = platform.login["url"], platform.login["token"]
        self._patience, self._wait_until = patience, wait_until

    def call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}"}
        answer = httpx2.request(method, f"{self._url}/api/v1{path}", json=body, headers=headers, timeout=self._patience)
        said = answer.json()
        return said["error"] if answer.is_error else said

    def ask(self, name: str, /, **asked: Any) -> Any:
        """Ask until the program listens."""

        def said() -> Any:
            answer = self.call("POST", f"/sessions/{name}/ask", asked)
            return None if answer.get("code") in ("no_console", "not_running") else answer

        return self._wait_until(said, lambda: f"{name} does not listen")


@pytest.fixture
def api(platform: Any, patience: float, wait_until: Any) -> Api:
    return Api(platform, patience, wait_until)


@pytest.fixture
def run(platform: Any, tmp_path: Path) -> Any:
    (tmp_path / "main.py").write_text(PROGRAM)

    def start(arguments: str = "") -> str:
        words = ["-a", arguments] if arguments else []
        # One that fails at once is told by `run` itself, and its exit code says so.
        name: str = platform.json("run", *words, cwd=tmp_path, check=False)["name"]
        return name

    return start


def log_of(platform: Any, name: str) -> str:
    return str(platform.ctl("logs", "-f", name, check=False).stdout)


def test_a_fork_goes_on_where_its_origin_was_and_is_resumed_likewise(platform: Any, api: Api, run: Any) -> None:
    first = run()
    assert "ends at 1" in log_of(platform, first)
    fork = api.call("POST", f"/sessions/{first}/fork", {})["name"]
    assert "begins at 1 iteration 1" in log_of(platform, fork)
    resumed = api.call("POST", f"/sessions/{fork}/resume")["name"]
    assert "begins at 2 iteration 2" in log_of(platform, resumed)
    command = api.call("GET", f"/sessions/{fork}/command")["command"]
    assert command == f"nsmlctl fork -c 1 {first}"


def test_a_program_loads_a_checkpoint_of_another_session(platform: Any, run: Any) -> None:
    first = run()
    log_of(platform, first)
    assert "begins at 1 iteration 0" in log_of(platform, run(f"--borrow {first}"))
    lost = run("--borrow mina/None/99")
    assert "No model: mina/None/99/nsml_model/1" in log_of(platform, lost)


def test_a_served_model_answers_until_it_is_removed(platform: Any, api: Api, run: Any) -> None:
    first = run()
    log_of(platform, first)
    served = api.call("POST", f"/sessions/{first}/infer", {})["name"]
    assert api.ask(served, do="infer", args=[[1, 2]]) == {"output": [1, 2], "error": None, "exit_code": None}
    assert api.call("GET", f"/sessions/{served}")["type"] == "infer"
    assert api.call("DELETE", f"/sessions?name={served}&force=1") == {"removed": [served]}


def test_a_training_is_asked_in_its_live_scope_and_saves_when_told(platform: Any, api: Api, run: Any) -> None:
    name = run("--wait 600")
    assert api.ask(name, do="exec", code="weight + 41")["output"] == "42"
    assert api.ask(name, do="sh", argv=["echo there"]) == {"output": "there\n", "error": None, "exit_code": 0}
    assert api.ask(name, do="save", name="by-hand")["error"] is None
    assert "NameError" in api.ask(name, do="exec", code="nowhere")["error"]
    api.ask(name, do="sh", argv=["touch /tmp/enough"])
    assert "ends at 1" in log_of(platform, name)
    names = [checkpoint["name"] for checkpoint in api.call("GET", f"/sessions/{name}/checkpoints")["checkpoints"]]
    assert names == ["1", "by-hand"]
