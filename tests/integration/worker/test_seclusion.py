"""A program that looks for what it must not see, in every confinement this machine can make."""

import json
import secrets
from typing import Any

import pytest

from nsml_worker.confinement import LADDER
from nsml_worker.contract import EndReason, Mount, Output, RunKind

# Made afresh: on a node where programs see the whole disk, they would find them in this file.
LABEL, CODE, TOKEN = (f"{word}-{secrets.token_hex(8)}" for word in ("label", "code", "token"))

# Walks everything it can reach, reads every small file, and prints each secret it finds with the place. The secrets are put
# together from halves, so that the program does not find itself.
SEEKER = """
import os, stat, sys
sought = [a + b for a, b in {halves!r}]
print("looking for", len(sought))
def look(place, data):
    for text in sought:
        if text.encode() in data:
            print("FOUND", text[:4], place)
look("environment", repr(dict(os.environ)).encode())
skip = ("/sys", "/usr", "/dev", "/proc/kcore", sys.prefix, sys.base_prefix)
places = [{root!r}, "/proc", os.environ.get("NSML_DATASET_PATH", "/data"), os.environ["NSML_HOME"]]
for root, folders, files in (found for place in places for found in os.walk(place)):
    if root.startswith(skip) or root.count("/") > 14:
        folders[:] = []
        continue
    if root.startswith("/proc/") and root.count("/") > 2 and "/fd" not in root and "/root" not in root:
        folders[:] = []
    for name in files:
        path = os.path.join(root, name)
        try:
            if stat.S_ISREG(os.stat(path).st_mode) and os.stat(path).st_size < 1000000:
                look(path, open(path, "rb").read(1000000))
        except OSError:
            pass
print("looked")
"""


def seek(site: Any, secrets: tuple[str, ...]) -> str:
    """All that the program sees; where that is the machine's whole disk, all that the platform has on it."""
    halves = [(text[:6], text[6:]) for text in secrets]
    root = "/" if site.confinement.mounts else str(site.folder)
    return SEEKER.format(halves=halves, root=root)


@pytest.fixture(params=[confinement for confinement in LADDER if confinement.name != "none"], ids=lambda one: one.name)
def sealed(request: pytest.FixtureRequest, site: Any) -> Any:
    """A node that seals its boxes."""
    site.confine(request.param)
    return site


def run_beside_labels(site: Any, program: str, **more: Any) -> str:
    """The output of a program that runs while a box with the labels stands on the same node."""
    labels = Mount("/data/kin", site.tree({"test/test_label": LABEL}))
    neighbour = site.offer("import time; print('here'); time.sleep(600)", 2, "neighbour", mounts=(labels,))
    agent = site.start_worker()
    agent.take(2, "neighbour")
    site.wait_for_output(2, b"here")
    box = site.offer(program, 1, TOKEN, **more)
    agent.take(1, TOKEN)
    assert site.memory.wait_for_end(box).reason is EndReason.EXITED
    site.memory.drops.append(neighbour)
    return str(site.memory.stream(1, "log").decode())


@pytest.mark.parametrize("kind", [RunKind.TRAIN, RunKind.PREDICT])
def test_neither_labels_nor_tokens_are_in_reach_of_a_participant(sealed: Any, kind: RunKind) -> None:
    data = Mount("/data/kin", sealed.tree({"test/test_data": "inputs", "train/train_data": "more"}))
    sought = (LABEL, TOKEN, sealed.token_file.read_text())
    output = run_beside_labels(sealed, seek(sealed, sought), kind=kind, mounts=(data,), dataset="kin")
    assert output.splitlines() == [f"looking for {len(sought)}", "looked"]


def test_the_seeker_finds_what_is_there_to_find(sealed: Any) -> None:
    """Or the tests above prove nothing."""
    data = Mount("/data/kin", sealed.tree({"train/train_data": LABEL}))
    output = run_beside_labels(sealed, seek(sealed, (LABEL,)), mounts=(data,), dataset="kin")
    assert "FOUND labe" in output


def test_no_code_of_a_participant_is_in_reach_of_an_evaluation(sealed: Any, wait_until: Any) -> None:
    agent = sealed.start_worker()
    sealed.offer("import time; print('here'); time.sleep(600)", 2, "neighbour", files={"secret.py": CODE})
    agent.take(2, "neighbour")
    sealed.wait_for_output(2, b"here")
    evaluation = seek(sealed, (CODE,)) + "\nprint(0.5)"
    data = Mount("/data/kin", sealed.tree({"test/test_label": "1\n", "evaluation.py": evaluation}))
    prediction = Mount("/nsml/prediction", sealed.tree({"prediction": "1\n"}))
    argv = ("python", "@score", "--metric", "custom", "--label", "/data/kin/test/test_label")
    argv += ("--prediction", "/nsml/prediction/prediction", "--evaluation", "/data/kin/evaluation.py")
    box = sealed.offer(
        "", 1, "one", kind=RunKind.SCORE, mounts=(data, prediction), argv=argv, outputs=(Output("score.json", 10000),),
        dataset="kin",
    )  # fmt: skip
    agent.take(1, "one")
    ended = sealed.memory.wait_for_end(box)
    assert ended.reason is EndReason.EXITED, sealed.memory.stream(1, "log")
    assert json.loads(sealed.memory.blobs[ended.outputs[0].hash]) == {"score": 0.5}
    assert "FOUND" not in sealed.memory.stream(1, "log").decode()


def test_there_is_no_network_where_the_confinement_has_its_own(sealed: Any) -> None:
    if not sealed.confinement.mounts:
        pytest.skip("another user alone does not close the network")
    port = sealed.server.server_port
    program = f"import socket\ntry: socket.create_connection(('127.0.0.1', {port}), 1)\nexcept OSError: print('closed')"
    box = sealed.offer(program)
    sealed.start_worker().take(1, "run-secret-canary")
    sealed.memory.wait_for_end(box)
    assert sealed.memory.stream(1, "log") == b"closed\n"


def test_what_the_worker_lays_out_cannot_be_replaced(sealed: Any) -> None:
    program = """
import os
home = os.environ["NSML_HOME"]
data = os.environ["NSML_DATASET_PATH"]
import nsml
for action in (
    lambda: open(data + "/train/train_data", "w"),
    lambda: os.remove(data + "/train/train_data"),
    lambda: os.chmod(data + "/train/train_data", 0o777),
    lambda: os.rename(home + "/loader", home + "/elsewhere"),
    lambda: open(home + "/loader/data_loader.py", "a"),
    lambda: open(nsml.__file__, "a"),
    lambda: os.remove(nsml.__file__),
    lambda: os.setuid(0),
):
    try:
        action()
        print("possible")
    except OSError:
        pass
print("tried")
"""
    data = Mount("/data/kin", sealed.tree({"train/train_data": "x"}))
    loader = Mount("/nsml/loader", sealed.tree({"data_loader.py": "x"}))
    box = sealed.offer(program, mounts=(data, loader), dataset="kin")
    sealed.start_worker().take(1, "run-secret-canary")
    sealed.memory.wait_for_end(box)
    assert sealed.memory.stream(1, "log") == b"tried\n"


def test_the_environment_holds_only_what_was_agreed(sealed: Any) -> None:
    box = sealed.offer(
        "import os; print(*sorted(os.environ))", environment={"NSML_SESSION": "3", "LD_PRELOAD": "x", "NSML_NODE": "y"}
    )
    sealed.start_worker().take(1, "run-secret-canary")
    sealed.memory.wait_for_end(box)
    names = set(sealed.memory.stream(1, "log").decode().split()) - {"PWD", "OLDPWD", "LC_CTYPE"}
    assert names == {
        "CUDA_VISIBLE_DEVICES", "HOME", "LANG", "LOGNAME", "NSML_HOME", "NSML_SESSION", "OMP_NUM_THREADS", "PATH",
        "PYTHONNOUSERSITE", "PYTHONPATH", "PYTHONUNBUFFERED", "TMPDIR", "USER",
    }  # fmt: skip
