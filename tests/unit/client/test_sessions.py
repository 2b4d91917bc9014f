"""`ps`, `logs`, `stop`, `rm`, `memo`, `model ls`: one's own sessions."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from nsmlctl.config import remember_dataset
from nsmlctl.errors import CutOff, ServerAway
from nsmlctl.following import PATIENCE
from nsmlctl.transport import Response
from nsmlctl.workplace import Workplace

Run = Callable[..., Any]
LOG = "/sessions/kim/kin/1/log"


def cut_after(*chunks: bytes) -> Response:
    def stream() -> Any:
        yield from chunks
        raise CutOff("The connection broke.")

    return Response(200, {}, stream())


class TestPs:
    def test_the_columns_are_nsml_s_in_nsml_s_order(self, nsmlctl: Run, platform: Any) -> None:
        platform.on("GET", "/sessions", {"sessions": []})
        title, dashes = nsmlctl("ps").out.splitlines()
        assert title == "Name  Created  Args  Status  Summary  Description  # of Models  Size  Type"
        assert dashes == "----  -------  ----  ------  -------  -----------  -----------  ----  ----"

    def test_an_empty_table_says_what_it_leaves_out(self, nsmlctl: Run, platform: Any) -> None:
        platform.on("GET", "/sessions", {"sessions": []})
        assert "`nsmlctl ps -a` lists older ones" in nsmlctl("ps").err
        assert nsmlctl("ps", "-a").err == nsmlctl("ps", "-d", "kin").err == ""

    def test_a_session_is_one_line(self, nsmlctl: Run, platform: Any, session: Any) -> None:
        summary = {"test/loss": 22.86812, "step": 9, "epoch": 2, "acc": 0.5, "note": "ok"}
        line = session(args="--lr 0.1", memo="first", summary=summary, checkpoints=3, size=107_220_000)
        platform.on("GET", "/sessions", {"sessions": [line]})
        shown = nsmlctl("ps").out.splitlines()[2]
        assert "acc=0.5, epoch=2, note=ok, test/loss=22.868" in shown
        for text in ("kim/kin/1", "years ago", "--lr 0.1", "Running", "first", "  3  ", "107.22 MB", "normal"):
            assert text in shown

    def test_the_filters_are_the_server_s(self, nsmlctl: Run, platform: Any) -> None:
        platform.on("GET", "/sessions", {"sessions": []})
        nsmlctl("ps", "-a", "-n", "5", "-d", "kin", "-s", "first")
        assert platform.calls[0].query == {"all": "1", "last": "5", "dataset": "kin", "search": "first"}

    def test_json_is_the_server_s_words(self, nsmlctl: Run, platform: Any, session: Any) -> None:
        platform.on("GET", "/sessions", {"sessions": [session(memo="첫 시도")]})
        out = nsmlctl("ps", "-j").out
        assert json.loads(out) == {"sessions": [session(memo="첫 시도")]}
        assert "첫 시도" in out

    def test_the_score_of_a_submit_stands_with_what_was_reported(
        self, nsmlctl: Run, platform: Any, session: Any
    ) -> None:
        rows = [session(score=0.98554, summary={"loss": 0.5}), session("kim/kin/2", score=None, summary={"loss": 0.6})]
        platform.on("GET", "/sessions", {"sessions": rows})
        first, second = nsmlctl("ps").out.splitlines()[2:]
        assert "loss=0.5, score=0.986" in first
        assert "score" not in second

    def test_those_that_wait_say_for_what(self, nsmlctl: Run, platform: Any, session: Any) -> None:
        waiting = {"text": "no GPU is free; 2. in line", "position": 2, "seconds": 5}
        platform.on("GET", "/sessions", {"sessions": [session(status="Queued", waiting=waiting)]})
        assert "kim/kin/1: no GPU is free; 2. in line" in nsmlctl("ps").err

    def test_verbose_says_what_each_uses_as_far_as_it_is_known(self, nsmlctl: Run, platform: Any, session: Any) -> None:
        use = {"memory": 1_500_000_000, "cpu": 0.87, "gpu_utilisation": [93, 0], "gpu_memory": [1, 2]}
        rows = [session(use=use), session("kim/kin/2", use={"memory": None, "cpu": None}), session("kim/kin/3")]
        platform.on("GET", "/sessions", {"sessions": rows}, {"sessions": rows})
        told = nsmlctl("ps", "-v").err
        assert told == "kim/kin/1: uses 1.50 GB of memory, 0.9 CPUs, GPU 0 93 %, GPU 1 0 %\n"
        assert nsmlctl("ps").err == ""

    def test_columns_stand_under_each_other_in_korean_too(self, nsmlctl: Run, platform: Any, session: Any) -> None:
        sessions = [session(memo="첫"), session("kim/kin/22", memo="ab")]
        platform.on("GET", "/sessions", {"sessions": sessions})
        first, second = nsmlctl("ps").out.splitlines()[2:]
        assert first.index("첫") + 2 + len("Description") - 2 + 2 == second.index("ab") + len("Description") + 2
        assert first.split("첫")[1].lstrip() == second.split("ab")[1].lstrip()
        assert len(first.split("첫")[1]) == len(second.split("ab")[1])

    def test_a_description_cannot_steer_the_terminal(self, nsmlctl: Run, platform: Any, session: Any) -> None:
        platform.on("GET", "/sessions", {"sessions": [session(memo="\x1b[2J\x1b]0;title\x07a\r\nb\u202e")]})
        out = nsmlctl("ps").out
        assert not set(out) & set("\x1b\x07\r\u202e")
        assert len(out.splitlines()) == 3


class TestLogs:
    def test_the_log_is_printed_byte_for_byte(
        self, place: Workplace, platform: Any, capsysbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        from nsmlctl.__main__ import main

        platform.on("GET", LOG, b"\xff\x00 loss\r 0.1\n")
        assert main(["logs", "kim/kin/1"], place) == 0
        assert capsysbinary.readouterr().out == b"\xff\x00 loss\r 0.1\n"

    @pytest.mark.parametrize(
        ("more", "why"),
        [
            ({"message": "The packages could not be installed."}, "The packages could not be installed."),
            ({"waiting": {"text": "waits for 1 GPU"}}, "waits for 1 GPU"),
            ({}, "it is running"),
        ],
    )
    def test_an_empty_log_is_told_with_the_reason(
        self, nsmlctl: Run, platform: Any, session: Any, more: dict[str, Any], why: str
    ) -> None:
        platform.on("GET", "/sessions/kim/kin/1", session(**more))
        platform.on("GET", LOG, b"")
        outcome = nsmlctl("logs", "kim/kin/1")
        assert (outcome.code, outcome.out) == (0, "")
        assert outcome.err == f"Session kim/kin/1 has printed nothing: {why}\n"

    def test_json_holds_the_whole_log(self, nsmlctl: Run, platform: Any, session: Any) -> None:
        platform.on("GET", "/sessions/kim/kin/1", session(state="failed", status="Failed", final=True, message="No."))
        platform.on("GET", LOG, b"\xff one\n")
        plain, followed = nsmlctl("logs", "-j", "kim/kin/1"), nsmlctl("logs", "-j", "-f", "kim/kin/1")
        assert json.loads(plain.out) == json.loads(followed.out) == {"log": "\ufffd one\n"}
        assert (plain.code, followed.code) == (0, 1)

    def test_a_session_that_is_not_there_has_no_json(self, nsmlctl: Run, platform: Any, refuse: Any) -> None:
        platform.on("GET", LOG, refuse(404, "no_such_session", "There is no session kim/kin/1."))
        assert nsmlctl("logs", "-j", "kim/kin/1").out == ""

    def test_following_ends_with_the_session(self, nsmlctl: Run, platform: Any, session: Any) -> None:
        ended = session(state="exited", status="Exited", final=True)
        platform.on("GET", "/sessions/kim/kin/1", ended)
        platform.on("GET", LOG, b"done\n")
        outcome = nsmlctl("logs", "-f", "kim/kin/1")
        assert (outcome.code, outcome.out) == (0, "done\n")
        assert "Exited" in outcome.err

    def test_following_goes_on_at_the_byte_where_it_was_cut(self, nsmlctl: Run, platform: Any, session: Any) -> None:
        platform.on("GET", "/sessions/kim/kin/1", session(state="exited", status="Exited", final=True))
        platform.on("GET", LOG, cut_after(b"one ", b"two "), cut_after(), ServerAway("away"), b"three\n")
        assert nsmlctl("logs", "-f", "kim/kin/1").out == "one two three\n"
        assert [call.query["offset"] for call in platform.called("GET", LOG)] == ["0", "8", "8", "8"]

    def test_patience_ends(self, nsmlctl: Run, platform: Any, session: Any) -> None:
        platform.on("GET", "/sessions/kim/kin/1", session())
        platform.on("GET", LOG, ServerAway("No platform answers."))
        outcome = nsmlctl("logs", "-f", "kim/kin/1")
        assert outcome.code == 5
        assert PATIENCE <= sum(platform.pauses) <= 1.2 * PATIENCE
        assert outcome.err.count("Trying again") == 1

    def test_ctrl_c_leaves_the_log_and_not_the_session(self, nsmlctl: Run, platform: Any, session: Any) -> None:
        platform.on("GET", "/sessions/_/_/1", session())
        platform.on("GET", LOG, KeyboardInterrupt())
        outcome = nsmlctl("logs", "-f", "1")
        assert outcome.code == 130
        assert "Session kim/kin/1 goes on" in outcome.err
        assert not platform.called("POST", "/sessions/kim/kin/1/stop")

    def test_a_failed_session_is_exit_code_1_with_its_reason(self, nsmlctl: Run, platform: Any, session: Any) -> None:
        ended = session(state="failed", status="Failed", final=True, message="Exit code 3.")
        platform.on("GET", "/sessions/kim/kin/1", ended)
        platform.on("GET", LOG, b"Traceback\n")
        outcome = nsmlctl("logs", "-f", "kim/kin/1")
        assert outcome.code == 1
        assert "Session kim/kin/1 failed: Exit code 3." in outcome.err


class TestNames:
    def test_a_number_means_the_folder_s_last_dataset(
        self, nsmlctl: Run, platform: Any, place: Workplace, session: Any
    ) -> None:
        remember_dataset(place.home, place.folder, "kin")
        platform.on("POST", "/sessions/_/_/3/stop", session("kim/kin/3", status="Stopping"))
        assert "Session kim/kin/3: Stopping" in nsmlctl("stop", "3").out
        assert platform.calls[0].query == {"near": "kin"}

    def test_two_that_fit_are_listed(self, nsmlctl: Run, platform: Any, refuse: Any) -> None:
        details = {"candidates": ["kim/kin/1", "kim/movie/1"]}
        answer = refuse(409, "ambiguous_session", "Two sessions fit '1'.", details=details)
        platform.on("GET", "/sessions/_/_/1/log", answer)
        outcome = nsmlctl("logs", "1")
        assert outcome.code == 2
        assert "kim/kin/1" in outcome.err
        assert "kim/movie/1" in outcome.err

    @pytest.mark.parametrize("words", [["logs"], ["stop"], ["rm"], ["model", "ls"], ["submit"]])
    def test_a_wrong_name_is_told_without_asking_the_server(
        self, nsmlctl: Run, platform: Any, words: list[str]
    ) -> None:
        outcome = nsmlctl(*words, "kim/kin 1")
        assert outcome.code == 2
        assert "holds no blanks" in outcome.err
        assert platform.calls == []


class TestRm:
    def test_a_session_is_removed_by_its_full_name(self, nsmlctl: Run, platform: Any, session: Any) -> None:
        platform.on("GET", "/sessions/_/kin/1", session(final=True, state="exited"))
        platform.on("DELETE", "/sessions/kim/kin/1", {})
        assert "Session kim/kin/1 is removed" in nsmlctl("rm", "kin/1").out

    def test_force_stops_first(self, nsmlctl: Run, platform: Any, session: Any) -> None:
        platform.on("GET", "/sessions/kim/kin/1", session(), session(), session(final=True, state="stopped"))
        platform.on("POST", "/sessions/kim/kin/1/stop", session(state="stopping", status="Stopping"))
        platform.on("DELETE", "/sessions/kim/kin/1", {})
        assert nsmlctl("rm", "-f", "kim/kin/1").code == 0
        assert [call.method for call in platform.calls] == ["GET", "POST", "GET", "GET", "DELETE"]

    def test_without_force_the_server_s_refusal_is_told(
        self, nsmlctl: Run, platform: Any, session: Any, refuse: Any
    ) -> None:
        platform.on("GET", "/sessions/kim/kin/1", session())
        platform.on("DELETE", "/sessions/kim/kin/1", refuse(409, "not_final", "kim/kin/1 still runs."))
        outcome = nsmlctl("rm", "kim/kin/1")
        assert outcome.code == 1
        assert "kim/kin/1 still runs." in outcome.err

    def test_a_wrong_name_among_several_removes_none(self, nsmlctl: Run, platform: Any) -> None:
        assert nsmlctl("rm", "kim/kin/1", "kim/kin/x").code == 2
        assert platform.calls == []


def test_memo_changes_the_description(nsmlctl: Run, platform: Any, session: Any) -> None:
    platform.on("PATCH", "/sessions/kim/kin/1", session(memo="new"))
    assert nsmlctl("memo", "kim/kin/1", "new").out == "Session kim/kin/1: new\n"
    assert platform.calls[0].content == {"memo": "new"}


def test_model_ls_shows_full_precision_and_the_step(nsmlctl: Run, platform: Any) -> None:
    checkpoint = {
        "name": "best", "saved_at": "2020-01-01T00:00:00Z", "elapsed": 27.12345, "size": 366_740_000,
        "summary": {"step": 3, "loss": 0.123456789}, "files": [],
    }  # fmt: skip
    platform.on("GET", "/sessions/kim/kin/1/checkpoints", {"checkpoints": [checkpoint]})
    title, _, line = nsmlctl("model", "ls", "kim/kin/1").out.splitlines()
    assert title.split("  ")[0] == "Checkpoint"
    assert [part.strip() for part in title.split("  ") if part.strip()] == [
        "Checkpoint", "Last Modified", "Elapsed", "Summary", "Size",
    ]  # fmt: skip
    for text in ("best", "27.123", "step=3, loss=0.123456789", "366.74 MB"):
        assert text in line
