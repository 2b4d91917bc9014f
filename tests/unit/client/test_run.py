"""`nsmlctl run`: what is asked for, what is told, and what Ctrl-C leaves."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nsmlctl.config import last_dataset
from nsmlctl.errors import CutOff
from nsmlctl.workplace import Workplace

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def a_platform_that_takes_everything(platform: Any, folder: Path, session: Any) -> None:
    (folder / "main.py").write_text("print(1)")
    platform.on("GET", "/platform", {"version": "0.1.0", "limits": {}})
    platform.on("GET", "/datasets/kin", {"name": "kin"})
    platform.on("POST", "/blobs/missing", lambda call: {"missing": call.content["hashes"]})
    platform.on("POST", "/packs", {})
    platform.on("POST", "/sessions", session())
    platform.on("GET", "/sessions/kim/kin/1", session())


def test_a_session_that_runs_is_told_with_its_page_and_the_next_words(nsmlctl: Run) -> None:
    outcome = nsmlctl("run", "-d", "kin", "main.py")
    assert outcome.code == 0
    assert "Session kim/kin/1 is started\n" in outcome.out
    assert "http://nsml.test/sessions/kim/kin/1" in outcome.out
    assert "nsmlctl logs -f kin/1" in outcome.out


def test_a_session_without_a_dataset_is_not_told_to_be_submitted(nsmlctl: Run, platform: Any, session: Any) -> None:
    platform.on("POST", "/sessions", session("kim/None/1"))
    platform.on("GET", "/sessions/kim/None/1", session("kim/None/1"))
    assert nsmlctl("run").out.splitlines()[-1] == "Next:  nsmlctl logs -f None/1   |   nsmlctl model ls None/1"


def test_the_wish_holds_what_was_typed(nsmlctl: Run, platform: Any) -> None:
    nsmlctl("run", "-d", "kin", "-a", "--epochs 3", "-m", "first", "-g", "0", "-c", "2", "--memory", "2G", "--shm-size", "64MB", "--node", "rack1")  # fmt: skip
    (call,) = platform.called("POST", "/sessions")
    wish = call.content
    code = wish.pop("code")
    assert [file["path"] for file in code["files"]] == ["main.py"]
    assert wish == {
        "dataset": "kin", "entry": "main.py", "args": "--epochs 3", "memo": "first",
        "gpus": 0, "cpus": 2, "memory": 2 * 2**30, "shm": 64 * 2**20,
        "gpu_model": None, "gpu_driver": None, "node": "rack1",
    }  # fmt: skip
    assert call.headers["Idempotency-Key"]


def test_what_was_not_typed_is_left_to_the_server(nsmlctl: Run, platform: Any) -> None:
    nsmlctl("run")
    wish = platform.called("POST", "/sessions")[0].content
    assert [wish[name] for name in ("dataset", "gpus", "cpus", "memory", "shm")] == [None] * 5


def test_two_runs_have_two_keys(nsmlctl: Run, platform: Any) -> None:
    nsmlctl("run")
    nsmlctl("run")
    first, second = platform.called("POST", "/sessions")
    assert first.headers["Idempotency-Key"] != second.headers["Idempotency-Key"]


def test_the_folder_remembers_its_dataset(nsmlctl: Run, place: Workplace) -> None:
    nsmlctl("run", "-d", "kin")
    assert last_dataset(place.home, place.folder) == "kin"


def test_a_session_that_waits_says_for_what(nsmlctl: Run, platform: Any, session: Any) -> None:
    waiting = {"text": "all 2 cores are in use; 3. in line", "position": 3, "seconds": 1}
    queued = session(started_at=None, state="queued", status="Queued", waiting=waiting)
    platform.on("POST", "/sessions", queued)
    platform.on("GET", "/sessions/kim/kin/1", queued)
    outcome = nsmlctl("run", "-d", "kin")
    assert outcome.code == 0
    assert "Session kim/kin/1 is queued: all 2 cores are in use; 3. in line" in outcome.out
    assert 0.2 <= sum(platform.pauses) <= 1


def test_a_session_that_starts_a_moment_later_is_told_as_started(nsmlctl: Run, platform: Any, session: Any) -> None:
    queued = session(started_at=None, state="queued", status="Queued")
    platform.on("POST", "/sessions", queued)
    platform.on("GET", "/sessions/kim/kin/1", queued, session())
    assert "is started" in nsmlctl("run", "-d", "kin").out


def test_a_session_that_failed_at_once_is_exit_code_1_with_the_reason(
    nsmlctl: Run, platform: Any, session: Any
) -> None:
    failed = session(started_at=None, state="failed", status="Failed", final=True, message="The image is missing.")
    platform.on("POST", "/sessions", failed)
    outcome = nsmlctl("run", "-d", "kin")
    assert outcome.code == 1
    assert "The image is missing." in outcome.err
    assert outcome.out == ""


def test_json_is_the_session_alone(nsmlctl: Run) -> None:
    assert json.loads(nsmlctl("run", "-d", "kin", "-j").out)["name"] == "kim/kin/1"


@pytest.mark.parametrize("words", [["train.py"], ["-e", "train.py"], ["../main.py"]])
def test_a_missing_entry_is_named_before_anything_is_sent(nsmlctl: Run, platform: Any, words: list[str]) -> None:
    outcome = nsmlctl("run", "-d", "kin", *words)
    assert outcome.code == 2
    assert f"{words[-1]}: there is no such file" in outcome.err
    assert platform.calls == []


@pytest.mark.parametrize(
    ("typed", "files", "told"),
    [
        ("trian.py", ["train.py"], "Did you mean train.py?"),
        ("xyz", ["train.py"], "Programs here: main.py, train.py."),
        ("xyz", [f"p{n}.py" for n in range(9)], "Programs here: main.py, p0.py, p1.py, p2.py, p3.py, …."),
    ],
)
def test_a_missing_entry_is_guessed(nsmlctl: Run, folder: Path, typed: str, files: list[str], told: str) -> None:
    for file in files:
        (folder / file).write_text("")
    assert told in nsmlctl("run", typed).err


def test_a_folder_without_a_program_is_told(nsmlctl: Run, folder: Path) -> None:
    (folder / "main.py").unlink()
    assert "There is no program here" in nsmlctl("run").err


def test_an_ignored_entry_is_a_missing_one(nsmlctl: Run, folder: Path) -> None:
    (folder / ".nsmlignore").write_text("main.py")
    assert "main.py: there is no such file" in nsmlctl("run").err


def test_two_entries_are_one_too_many(nsmlctl: Run) -> None:
    outcome = nsmlctl("run", "main.py", "-e", "other.py")
    assert outcome.code == 2
    assert "'main.py' or 'other.py'" in outcome.err


def test_an_entry_may_be_written_with_a_dot_or_in_a_folder(nsmlctl: Run, platform: Any, folder: Path) -> None:
    (folder / "src").mkdir()
    (folder / "src" / "train.py").write_text("")
    nsmlctl("run", "./src/train.py")
    assert platform.called("POST", "/sessions")[0].content["entry"] == "src/train.py"


def test_too_large_a_folder_is_told_before_the_upload(nsmlctl: Run, platform: Any) -> None:
    platform.on("GET", "/platform", {"version": "0.1.0", "limits": {"upload_bytes": 1}})
    outcome = nsmlctl("run")
    assert outcome.code == 1
    assert "has 8 bytes; this platform takes 1" in outcome.err
    assert [call.path for call in platform.calls] == ["/platform"]


def test_a_large_folder_gets_a_hint(nsmlctl: Run, folder: Path) -> None:
    with (folder / "model.bin").open("wb") as file:
        file.truncate(11_000_000)
    platform_less = nsmlctl("run")
    assert "model.bin 11.00 MB" in platform_less.err
    assert ".nsmlignore" in platform_less.err


def test_a_home_folder_is_not_uploaded(nsmlctl: Run, place: Workplace, platform: Any) -> None:
    at_home = Workplace(place.home, place.folder, {**place.environ, "HOME": str(place.folder.resolve())}, place.connect)
    outcome = nsmlctl("run", place=at_home)
    assert outcome.code == 1
    assert "as a whole is not uploaded" in outcome.err
    assert platform.calls == []


def test_an_unknown_dataset_is_exit_code_4_before_anything_is_sent(nsmlctl: Run, platform: Any, refuse: Any) -> None:
    platform.on(
        "GET", "/datasets/kni", refuse(404, "no_such_dataset", "There is no dataset kni.", hint="There are: kin.")
    )
    outcome = nsmlctl("run", "-d", "kni")
    assert outcome.code == 4
    assert "There is no dataset kni." in outcome.err
    assert "There are: kin." in outcome.err
    assert [call.path for call in platform.calls] == ["/datasets/kni"]


def test_a_second_dataset_is_refused(nsmlctl: Run, platform: Any) -> None:
    outcome = nsmlctl("run", "-d", "kin", "--dataset", "movie")
    assert outcome.code == 2
    assert "beside one dataset, not beside kin and movie" in outcome.err
    assert platform.calls == []


def test_a_machine_can_be_named(nsmlctl: Run, platform: Any) -> None:
    assert nsmlctl("run", "--node", "rack1").code == 0
    assert platform.called("POST", "/sessions")[0].content["node"] == "rack1"


def test_a_session_that_neither_starts_nor_waits_is_told_after_some_seconds(
    nsmlctl: Run, platform: Any, session: Any
) -> None:
    preparing = session(started_at=None, state="preparing", status="Preparing")
    platform.on("POST", "/sessions", preparing)
    platform.on("GET", "/sessions/kim/kin/1", preparing)
    assert "Session kim/kin/1 is preparing" in nsmlctl("run", "-d", "kin").out
    assert 2 <= sum(platform.pauses) <= 10


def test_ctrl_c_in_the_upload_makes_nothing_and_says_so(nsmlctl: Run, platform: Any) -> None:
    platform.on("POST", "/packs", KeyboardInterrupt())
    outcome = nsmlctl("run", "-d", "kin")
    assert outcome.code == 130
    assert "no session was made" in outcome.err
    assert platform.called("POST", "/sessions") == []


def test_ctrl_c_while_the_session_is_made_waits_for_its_name(nsmlctl: Run, platform: Any, session: Any) -> None:
    def interrupted(_: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return session()

    platform.on("POST", "/sessions", interrupted)
    outcome = nsmlctl("run", "-d", "kin")
    assert outcome.code == 130
    assert "Session kim/kin/1 was made and goes on" in outcome.err


def test_ctrl_c_while_it_starts_leaves_it_by_name(nsmlctl: Run, platform: Any, session: Any) -> None:
    platform.on("POST", "/sessions", session(started_at=None, state="queued", status="Queued"))
    platform.on("GET", "/sessions/kim/kin/1", KeyboardInterrupt())
    outcome = nsmlctl("run", "-d", "kin")
    assert outcome.code == 130
    assert "Session kim/kin/1 was made and goes on" in outcome.err


def test_a_cut_that_leaves_it_open_says_how_to_know(nsmlctl: Run, platform: Any) -> None:
    platform.on("POST", "/sessions", CutOff("The connection broke."))
    outcome = nsmlctl("run", "-d", "kin")
    assert outcome.code == 5
    assert "nsmlctl ps" in outcome.err


def test_interactive_follows_and_removes(nsmlctl: Run, platform: Any, session: Any) -> None:
    platform.on("GET", "/sessions/kim/kin/1/log", b"epoch 1\n")
    platform.on("GET", "/sessions/kim/kin/1", session(state="exited", status="Exited", final=True))
    platform.on("DELETE", "/sessions/kim/kin/1", {})
    outcome = nsmlctl("run", "-d", "kin", "-i")
    assert outcome.code == 0
    assert "epoch 1\n" in outcome.out
    assert platform.called("DELETE", "/sessions/kim/kin/1")


def test_interactive_tells_a_failure_by_its_exit_code(nsmlctl: Run, platform: Any, session: Any) -> None:
    platform.on("GET", "/sessions/kim/kin/1/log", b"Traceback\n")
    ended = session(state="failed", status="Failed", final=True, message="The program ended with exit code 3.")
    platform.on("GET", "/sessions/kim/kin/1", ended)
    platform.on("DELETE", "/sessions/kim/kin/1", {})
    outcome = nsmlctl("run", "-d", "kin", "-i")
    assert outcome.code == 1
    assert "exit code 3" in outcome.err


def test_the_default_ignore_list_can_be_seen(nsmlctl: Run) -> None:
    assert ".git/" in nsmlctl("run", "--show-default-nsmlignore").out.splitlines()


@pytest.mark.parametrize("size", ["much", "-1", "12X", "1.2.3G", ""])
def test_a_size_that_is_none_is_refused(nsmlctl: Run, size: str) -> None:
    outcome = nsmlctl("run", "--memory", size)
    assert outcome.code == 2
    assert "is not a size" in outcome.err
