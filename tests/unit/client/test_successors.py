"""`fork`, `resume`, `infer`: sessions that begin where another one stood."""

import json
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from nsmlctl.config import last_dataset
from nsmlctl.workplace import Workplace

Run = Callable[..., Any]
OLD = "/sessions/kim/kin/1"


@pytest.fixture(autouse=True)
def a_platform_that_starts_them(platform: Any, session: Any) -> None:
    made = session("kim/kin/2", type="normal/fork", origin="kim/kin/1")
    for verb in ("fork", "resume", "infer"):
        platform.on("POST", f"{OLD}/{verb}", made)
    platform.on("GET", "/sessions/kim/kin/2", made)


def test_a_fork_is_told_by_its_own_name(nsmlctl: Run) -> None:
    outcome = nsmlctl("fork", "kim/kin/1")
    assert outcome.code == 0
    assert "Session kim/kin/2 is started\n" in outcome.out
    assert "nsmlctl logs -f kin/2" in outcome.out


def test_a_fork_sends_what_was_typed_and_leaves_the_rest_to_the_session_it_comes_from(
    nsmlctl: Run, platform: Any
) -> None:
    nsmlctl("fork", "-c", "best", "-a", "--lr 0.1", "-g", "2", "--shm-size", "1G", "--memory", "24G", "--cpu", "4", "--image", "torch1", "-v", "kim/kin/1")  # fmt: skip
    nsmlctl("fork", "kim/kin/1")
    full, bare = platform.called("POST", f"{OLD}/fork")
    assert full.content == {
        "checkpoint": "best", "args": "--lr 0.1", "entry": None, "memo": None, "image": "torch1",
        "gpus": 2, "cpus": 4, "memory": 24 * 2**30, "shm": 2**30,
    }  # fmt: skip
    assert set(bare.content.values()) == {None}
    assert full.headers["Idempotency-Key"] != bare.headers["Idempotency-Key"]


def test_resume_goes_on_under_a_name_of_its_own(nsmlctl: Run, platform: Any, place: Workplace) -> None:
    assert "Session kim/kin/2 is started" in nsmlctl("resume", "kim/kin/1").out
    assert platform.called("POST", f"{OLD}/resume")[0].headers["Idempotency-Key"]
    assert last_dataset(place.home, place.folder) == "kin"


def test_a_running_session_is_not_resumed_and_the_platform_says_why(nsmlctl: Run, platform: Any, refuse: Any) -> None:
    platform.on("POST", f"{OLD}/resume", refuse(409, "still_running", "Session kim/kin/1 still runs."))
    outcome = nsmlctl("resume", "kim/kin/1")
    assert outcome.code == 1
    assert "still runs" in outcome.err


def test_an_inference_takes_another_dataset_and_entry_and_says_how_to_ask(nsmlctl: Run, platform: Any) -> None:
    outcome = nsmlctl("infer", "-v", "-d", "kin2", "-e", "serve.py", "kim/kin/1", "best")
    wish = platform.called("POST", f"{OLD}/infer")[0].content
    assert {key: value for key, value in wish.items() if value is not None} == {
        "checkpoint": "best", "dataset": "kin2", "entry": "serve.py",
    }  # fmt: skip
    assert "nsmlctl exec kim/kin/2 'nsml.infer(...)'" in outcome.out
    assert outcome.out.splitlines()[1].startswith("  http")


@pytest.mark.parametrize("verb", ["fork", "resume", "infer"])
def test_json_is_the_session_alone(nsmlctl: Run, verb: str) -> None:
    assert json.loads(nsmlctl(verb, "kim/kin/1", "-j").out)["name"] == "kim/kin/2"


def test_ctrl_c_while_a_fork_is_made_still_tells_its_name(nsmlctl: Run, platform: Any, session: Any) -> None:
    def interrupted(_: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return session("kim/kin/2")

    platform.on("POST", f"{OLD}/fork", interrupted)
    outcome = nsmlctl("fork", "kim/kin/1")
    assert outcome.code == 130
    assert "Session kim/kin/2 was made and goes on" in outcome.err


def test_ps_tells_where_a_fork_began(nsmlctl: Run, platform: Any, session: Any) -> None:
    fork = session("kim/kin/2", type="normal/fork", origin="kim/kin/1")
    platform.on("GET", "/sessions", {"sessions": [fork, {**fork, "memo": "smaller steps"}]})
    bare, described = nsmlctl("ps").out.splitlines()[2:]
    assert "  from kim/kin/1  " in bare
    assert "  smaller steps, from kim/kin/1  " in described
    assert bare.endswith("normal/fork")


def test_what_the_platform_notes_on_the_image_is_told(nsmlctl: Run, platform: Any, session: Any) -> None:
    platform.on("POST", f"{OLD}/fork", session(notes=["nsml/ml:tf-1.4 is run as tf1."]))
    platform.on("GET", OLD, session(notes=["nsml/ml:tf-1.4 is run as tf1."]))
    assert "is run as tf1" in nsmlctl("fork", "kim/kin/1").err


def test_a_session_that_was_begun_anew_says_so(nsmlctl: Run, platform: Any, session: Any) -> None:
    platform.on("POST", f"{OLD}/resume", session(notices=["Begun anew, not at checkpoint 3."]))
    platform.on("GET", OLD, session(notices=["Begun anew, not at checkpoint 3."]))
    assert "Begun anew, not at checkpoint 3." in nsmlctl("resume", "kim/kin/1").err


def test_an_inference_without_a_shared_folder_says_so(nsmlctl: Run) -> None:
    outcome = nsmlctl("infer", "--nfs-output", "kim/kin/1")
    assert outcome.code == 0
    assert "--nfs-output: there is no shared folder here" in outcome.err
