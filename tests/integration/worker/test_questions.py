"""A program asks its worker for checkpoints of other sessions; what it asks with, and where it asks, is not trusted."""

import json
import threading
from typing import Any

import pytest

from nsml_worker.confinement import LADDER
from nsml_worker.contract import EndReason, RunKind

ASKING = """
import json, os, socket
home = os.environ["NSML_HOME"]
def ask(question, end=b"\\n"):
    connection = socket.socket(socket.AF_UNIX)
    os.chdir(home)
    connection.connect("questions.sock")
    connection.sendall((question if isinstance(question, bytes) else json.dumps(question).encode()) + end)
    answer = connection.makefile("rb").readline()
    return json.loads(answer) if answer else None
def checkpoint(name, session=None):
    return ask({"ask": "checkpoint", "session": session, "name": name})
"""


@pytest.fixture(params=LADDER, ids=lambda one: one.name)
def node(request: pytest.FixtureRequest, site: Any) -> Any:
    """A node with every way to seal boxes that this machine has."""
    site.confine(request.param)
    return site


def run(site: Any, program: str, **more: Any) -> tuple[EndReason, list[str]]:
    box = site.offer(ASKING + program, **more)
    site.start_worker().take(1, "run-secret-canary")
    ended = site.memory.wait_for_end(box)
    return ended.reason, site.memory.stream(1, "log").decode().splitlines()


def test_a_checkpoint_of_another_session_is_laid_out_for_reading_only(node: Any) -> None:
    tree = node.tree({"model": b"weights" * 100_000, "beside/vocabulary": b"words"})
    node.memory.checkpoints["u/other/3", "best"] = tree
    program = """
path = checkpoint("best", "u/other/3")["path"]
print(len(open(path + "/model").read()), open(path + "/beside/vocabulary").read())
print(checkpoint("best", "u/other/3")["path"] == path)
try:
    open(path + "/mine", "w")
except OSError as error:
    print("read only")
"""
    reason, said = run(node, program)
    assert (reason, said[:2]) == (EndReason.EXITED, ["700000 words", "True"])
    assert said[2:] == (["read only"] if node.confinement.name != "none" else [])


def test_a_checkpoint_that_is_not_there_is_told_as_the_sdk_says_it(site: Any) -> None:
    site.memory.checkpoints[None, "mine"] = site.tree({"model": b"m"})
    _, said = run(
        site,
        'print(checkpoint("x", "u/o/9")["error"]); print(checkpoint("x")["error"]); print(list(checkpoint("mine")))',
    )
    assert said == ["No model: u/o/9/nsml_model/x", "No model: u/kin/1/nsml_model/x", "['path']"]


@pytest.mark.parametrize(
    "question",
    ["b'{'", "b'[]'", "b'1'", "{'ask': 'labels'}", "{'ask': 'checkpoint', 'name': 1}", "b'[' * 100000", "b''"],
)
def test_nonsense_is_answered_or_dropped_and_the_next_question_is_heard(site: Any, question: str) -> None:
    site.memory.checkpoints[None, "mine"] = site.tree({"model": b"m"})
    _, said = run(site, f'print("path" in (ask({question}) or {{}})); print("path" in checkpoint("mine"))')
    assert said == ["False", "True"]


def test_a_link_in_the_place_of_what_is_fetched_leads_the_worker_nowhere(site: Any) -> None:
    outside = site.folder / "outside"
    outside.mkdir()
    site.memory.checkpoints[None, "mine"] = site.tree({"model": b"m"})
    trick = f'os.symlink({str(outside)!r}, home + "/fetched"); print("path" in checkpoint("mine"))'
    assert run(site, trick)[1] == ["True"]
    assert not any(outside.iterdir())


def test_a_scoring_has_nobody_to_ask(site: Any) -> None:
    _, said = run(site, 'print(os.path.exists(home + "/questions.sock"))', kind=RunKind.SCORE)
    assert said == ["False"]


def test_a_program_that_loads_while_its_worker_is_started_anew_waits_for_it(site: Any, wait_until: Any) -> None:
    program = """
import nsml, os, time
print("here")
while not os.path.exists(os.environ["TMPDIR"] + "/go"):
    time.sleep(0.01)
open(os.environ["TMPDIR"] + "/asks", "w").close()
nsml.load("mine", load_fn=lambda path: print(open(path + "/model").read()), session="u/other/3")
"""
    site.memory.checkpoints["u/other/3", "mine"] = site.tree({"model": b"weights"})
    box = site.offer(program)
    first = site.start_worker()
    first.take(1, "run-secret-canary")
    site.wait_for_output(1, b"here")
    site.leave()
    wait_until(lambda: not any(thread.name == f"desk {box}" for thread in threading.enumerate()))
    (site.folder / "boxes/1-1/tmp/go").touch()
    wait_until((site.folder / "boxes/1-1/tmp/asks").exists)
    site.start_worker()
    site.memory.wait_for_end(box)
    assert site.memory.stream(1, "log") == b"here\nweights\n"


def test_a_name_is_passed_on_only_so_far(site: Any) -> None:
    long = "x" * 5000
    _, said = run(site, f"print(json.dumps(checkpoint({long!r})))")
    assert len(json.loads(said[0])["error"]) < 1100
