"""What people typed from 2017 to 2022 still means something."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from nsmlctl.workplace import Workplace

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def a_platform_that_takes_everything(platform: Any, folder: Path, session: Any, submission: Any) -> None:
    (folder / "main.py").write_text("print(1)")
    platform.on("GET", "/platform", {"version": "0.1.0", "limits": {}})
    platform.on("GET", "/me", {"user": "kim", "admin": False})
    platform.on("GET", "/datasets/kin", {"name": "kin"})
    platform.on("POST", "/blobs/missing", lambda call: {"missing": call.content["hashes"]})
    platform.on("POST", "/packs", {})
    platform.on("POST", "/sessions", session())
    platform.on("GET", "/sessions/kim/kin/1", session())
    platform.on("POST", "/sessions/kim/kin/1/submissions", submission(state="scored", final=True, score=0.5))


def wish_of(platform: Any) -> Any:
    return platform.called("POST", "/sessions")[-1].content


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        (["-a", "--batch 1000 --lr 0.02"], "--batch 1000 --lr 0.02"),
        (["-a", "--batch=1000 --lr=0.02"], "--batch=1000 --lr=0.02"),
        (["-a", "--batch=1000, --lr=0.02"], "--batch=1000 --lr=0.02"),
        (["-a", "--batch 1000 , --lr 0.02"], "--batch 1000 --lr 0.02"),
        (["-a=--batch 1000"], "--batch 1000"),
        (["--args=--batch 1000"], "--batch 1000"),
        (["--args", "--batch 1000"], "--batch 1000"),
        (["-a--batch 1000"], "--batch 1000"),
        (["-a", "--names 'a, b' --shift -1, -2"], "--names 'a, b' --shift -1, -2"),
        (["-a", "-d=3"], "-d=3"),
        (["-a", ""], ""),
    ],
)
def test_arguments_in_every_spelling(nsmlctl: Run, platform: Any, words: list[str], arguments: str) -> None:
    assert nsmlctl("run", "-d", "kin", *words).code == 0
    assert wish_of(platform)["args"] == arguments


def test_arguments_with_an_open_quote_are_refused(nsmlctl: Run) -> None:
    outcome = nsmlctl("run", "-a", "--name 'kim")
    assert outcome.code == 2
    assert "quotation mark" in outcome.err


def test_short_options_with_an_equals_sign_as_go_reads_them(nsmlctl: Run, platform: Any) -> None:
    assert nsmlctl("run", "-d=kin", "-e=main.py", "-g=0", "-c=2", "-m=first").code == 0
    wish = wish_of(platform)
    assert (wish["dataset"], wish["entry"], wish["gpus"], wish["cpus"], wish["memo"]) == (
        "kin",
        "main.py",
        0,
        2,
        "first",
    )


@pytest.mark.parametrize("words", [["main.py"], ["-e", "main.py"], ["--entry", "main.py"], ["-e", "./main.py"], []])
def test_the_entry_in_every_place(nsmlctl: Run, platform: Any, words: list[str]) -> None:
    nsmlctl("run", "-d", "kin", *words)
    assert wish_of(platform)["entry"] == "main.py"


def test_the_entry_in_a_folder(nsmlctl: Run, platform: Any, folder: Path) -> None:
    (folder / "examples").mkdir()
    (folder / "examples/train.py").write_text("print(1)")
    nsmlctl("run", "-e", "examples/train.py")
    assert wish_of(platform)["entry"] == "examples/train.py"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--nfs-output"], "--nfs-output: there is no shared folder here"),
        (["-n", "2"], "--nodes: a session runs on one machine"),
        (["--nodes", "2"], "--nodes: a session runs on one machine"),
        (["--esm", "17"], "--esm: "),
    ],
)
def test_an_option_without_a_meaning_here_is_answered_and_the_run_goes_on(
    nsmlctl: Run, platform: Any, words: list[str], sentence: str
) -> None:
    outcome = nsmlctl("run", "-d", "kin", *words)
    assert outcome.code == 0
    assert sentence in outcome.err
    assert len(platform.called("POST", "/sessions")) == 1


def test_a_model_and_a_driver_can_be_asked_for(nsmlctl: Run, platform: Any) -> None:
    nsmlctl("run", "-d", "kin", "--gpu-model", "P40", "--gpu-driver-version", "390.46")
    assert (wish_of(platform)["gpu_model"], wish_of(platform)["gpu_driver"]) == ("P40", "390.46")


def test_verbose_lists_the_files_that_go_up(nsmlctl: Run) -> None:
    assert "main.py 8 Bytes" in nsmlctl("run", "-v").err


def test_hide_client_log_leaves_the_session_s_line(nsmlctl: Run) -> None:
    assert nsmlctl("run", "--hide-client-log").out == "Session kim/kin/1 is started\n"


@pytest.mark.parametrize("words", [["--memory", "24G", "--shm-size", "1G", "--cpu", "7"], ["--memory", "40000000000"]])
def test_resources_as_they_were_written(nsmlctl: Run, words: list[str]) -> None:
    assert nsmlctl("run", *words).code == 0


class TestSubmit:
    def test_another_entry_and_batch_are_the_platform_s_to_take(self, nsmlctl: Run, platform: Any) -> None:
        assert nsmlctl("submit", "-v", "-e", "other.py", "-b", "100", "kim/kin/1", "best").code == 0
        assert nsmlctl("submit", "kim/kin/1").code == 0
        full, bare = platform.called("POST", "/sessions/kim/kin/1/submissions")
        assert full.content == {"checkpoint": "best", "entry": "other.py", "batch": 100}
        assert bare.content == {"checkpoint": None}

    def test_a_rehearsal_is_never_a_submit(self, nsmlctl: Run, platform: Any, refuse: Any) -> None:
        platform.on("POST", "/sessions/kim/kin/1/rehearsals", refuse(404, "not_found", "Not Found."))
        outcome = nsmlctl("submit", "-t", "kim/kin/1", "best")
        assert outcome.code == 1
        assert "does not rehearse submits; nothing was submitted" in outcome.err
        assert "nsmlctl local" in outcome.err
        assert not platform.called("POST", "/sessions/kim/kin/1/submissions")


class TestPs:
    def test_names_only(self, nsmlctl: Run, platform: Any, session: Any) -> None:
        platform.on("GET", "/sessions", {"sessions": [session(), session("kim/kin/2")]})
        assert nsmlctl("ps", "-q").out == "kim/kin/1\nkim/kin/2\n"

    def test_verbose_tells_why_a_session_failed(self, nsmlctl: Run, platform: Any, session: Any) -> None:
        platform.on("GET", "/sessions", {"sessions": [session(status="Failed", message="Exit code 3.")]})
        assert "kim/kin/1: Exit code 3." in nsmlctl("ps", "-v").err
        assert "Exit code 3." not in nsmlctl("ps").err


class TestLogin:
    def test_login_alone_says_where_one_is(self, nsmlctl: Run) -> None:
        assert nsmlctl("login").out == "Logged in to http://nsml.test as kim\n"

    def test_json_says_it_to_scripts(self, nsmlctl: Run) -> None:
        assert json.loads(nsmlctl("login", "-j").out) == {"server": "http://nsml.test", "user": "kim"}

    def test_a_password_is_never_sent(self, nsmlctl: Run, platform: Any) -> None:
        outcome = nsmlctl("login", "--username", "kim", "--password", "hunter2", "-t", "team_1", "-e", "CP949")
        assert outcome.code == 0
        assert "neither used nor sent" in outcome.err
        assert not any("hunter2" in str(call) for call in platform.calls)

    def test_login_alone_where_nobody_is_logged_in_is_exit_code_3(self, nsmlctl: Run, place: Workplace) -> None:
        assert nsmlctl("login", place=Workplace(place.home, place.folder, {})).code == 3


def test_credit_keeps_its_line(nsmlctl: Run, platform: Any) -> None:
    platform.on("GET", "/credit", {"user": "kim", "credit": None})
    assert nsmlctl("credit").out == "User : kim credit unlimited\n"
    platform.on("GET", "/credit", {"user": "kim", "credit": 600.0})
    assert nsmlctl("credit").out == "User : kim credit 600\n"


@pytest.mark.parametrize("words", [[], ["run", "-c", "config.json", "-v"], ["rank"], ["stop", "-f", "kim/kin/3"]])
def test_automl_says_that_it_comes(nsmlctl: Run, words: list[str]) -> None:
    outcome = nsmlctl("automl", *words)
    assert outcome.code == 1
    assert "comes in a later version" in outcome.err


class TestMachines:
    NODE: ClassVar[dict[str, Any]] = {
        "name": "gpu-1", "alive": True, "cpus": 8, "used_cpus": 3, "gpus": 2, "used_gpus": 1, "memory": 64 * 10**9,
        "runs": 2, "devices": [{"model": "Tesla P40", "memory": 24 * 10**9, "driver": "418.67", "used": True}],
    }  # fmt: skip

    def test_gpumonitor_shows_machines_and_what_is_in_use(self, nsmlctl: Run, platform: Any) -> None:
        platform.on("GET", "/nodes", {"nodes": [self.NODE]})
        out = nsmlctl("gpumonitor").out
        for text in ("gpu-1", "alive", "1 of 2 used", "3 of 8 used", "64.00 GB", "Tesla P40", "418.67"):
            assert text in out
        assert json.loads(nsmlctl("gpumonitor", "-j").out) == {"nodes": [self.NODE]}

    def test_memory_and_processors_in_use_stand_beside_what_there_is(self, nsmlctl: Run, platform: Any) -> None:
        node = {**self.NODE, "used_memory": 12 * 10**9, "busy_cpus": 2.44}
        platform.on("GET", "/nodes", {"nodes": [node]})
        out = nsmlctl("gpumonitor").out
        assert "3 of 8 used, 2.4 busy" in out
        assert "12.00 GB of 64.00 GB used" in out

    def test_it_is_shown_again_until_ctrl_c(self, nsmlctl: Run, platform: Any) -> None:
        platform.on("GET", "/nodes", {"nodes": [self.NODE]}, {"nodes": [self.NODE]}, KeyboardInterrupt())
        assert nsmlctl("gpumonitor", "-n", "5").code == 130
        assert platform.pauses == [5, 5]

    def test_status_shows_them_when_asked_for_more(self, nsmlctl: Run, platform: Any) -> None:
        full = {"version": "0.1.0", "mode": "embedded", "nodes": 1, "gpus": 2}
        platform.on("GET", "/platform", full)
        platform.on("GET", "/sessions", {"sessions": []})
        platform.on("GET", "/nodes", {"nodes": [self.NODE]})
        assert "gpu-1" in nsmlctl("status", "-v").out
        assert "gpu-1" not in nsmlctl("status").out


class TestImages:
    def test_the_table_is_listed(self, nsmlctl: Run, platform: Any) -> None:
        images = [{"name": "nsml/ml:*", "target": "alias:tf1", "note": "TensorFlow 1.15", "shipped": True}]
        platform.on("GET", "/images", {"images": images})
        assert "nsml/ml:*  alias:tf1  TensorFlow 1.15" in nsmlctl("image", "ls").out
        assert json.loads(nsmlctl("image", "ls", "-j").out) == {"images": images}

    def test_a_row_is_added_and_removed(self, nsmlctl: Run, platform: Any) -> None:
        path = "/images/nvcr.io%2Fnvidia%2Fpytorch%3A%2A"
        platform.on("PUT", path, {"name": "nvcr.io/nvidia/pytorch:*", "target": "alias:torch1", "note": "n"})
        platform.on("DELETE", path, {})
        nsmlctl("image", "add", "nvcr.io/nvidia/pytorch:*", "alias:torch1", "--note", "n")
        assert platform.called("PUT", path)[0].content == {"target": "alias:torch1", "note": "n"}
        assert nsmlctl("image", "rm", "nvcr.io/nvidia/pytorch:*").code == 0
