"""How the end of a container is judged, from every combination of what may be known."""

from dataclasses import replace
from typing import Any

import pytest

from nsml_worker.box import interpret_exit
from nsml_worker.containers.end import Asked, Facts, Note, State, judge, parse_time, read_note, read_state
from nsml_worker.contract import EndReason, Limits

WELL = State(exit_code=0, out_of_memory=False, started_at=100.0, finished_at=160.0, memory=2**27)
FACTS = Facts(
    state=WELL, asked=None, note=Note(reached=True, status=0), want="", seen=True, limits=Limits(memory=2**27, processes=64),
    disk=2**24,
)  # fmt: skip


def end(**more: Any) -> Any:
    """`code` and `status`: as the engine and the keeper have it."""
    facts = FACTS
    if "code" in more:
        code = more.pop("code")
        note = replace(facts.note, status=more.pop("status", code if code < 129 else 128 - code))
        facts = replace(facts, state=replace(WELL, exit_code=code), note=note)
    if "oom" in more and facts.state is not None:
        facts = replace(facts, state=replace(facts.state, out_of_memory=more.pop("oom")))
    for name in ("reached", "crowded", "killed", "told"):
        if name in more:
            facts = replace(facts, note=replace(facts.note, **{{"told": "asked"}.get(name, name): more.pop(name)}))
    return interpret_exit(dict(judge(replace(facts, **more))), reached=False)


class TestJudge:
    def test_a_program_that_returns_is_told_by_its_code(self) -> None:
        assert (end().reason, end().wall_seconds) == (EndReason.EXITED, 60.0)
        assert (end(code=3).reason, end(code=3).exit_code) == (EndReason.EXIT_CODE, 3)

    def test_a_signal_is_told_from_a_code_that_looks_like_one(self) -> None:
        assert (end(code=139).reason, end(code=139).signal) == (EndReason.SIGNALLED, 11)
        assert (end(code=139, status=139).reason, end(code=139, status=139).exit_code) == (EndReason.EXIT_CODE, 139)

    def test_a_keeper_that_contradicts_the_engine_is_not_believed(self) -> None:
        assert (end(code=3, status=0).reason, end(code=3, status=0).exit_code) == (EndReason.EXIT_CODE, 3)

    def test_memory_is_told_with_its_limit_also_when_the_program_went_on(self) -> None:
        assert (end(code=137, oom=True).reason, "128 MiB" in end(code=137, oom=True).detail) == (
            EndReason.OUT_OF_MEMORY,
            True,
        )
        assert end(oom=True).reason is EndReason.OUT_OF_MEMORY
        assert "went on" in end(oom=True).detail

    def test_a_forged_word_about_memory_does_not_make_a_good_end_a_bad_one(self) -> None:
        assert end(killed=True).reason is EndReason.EXITED

    @pytest.mark.parametrize("cause", [EndReason.STOPPED, EndReason.WALL_CLOCK])
    def test_what_we_asked_for_counts_before_what_came_of_it(self, cause: EndReason) -> None:
        assert end(code=137, oom=True, asked=Asked(cause, 150.0)).reason is cause
        assert end(code=0, asked=Asked(cause, 150.0)).reason is cause

    def test_what_we_asked_for_too_late_does_not(self) -> None:
        assert end(code=0, asked=Asked(EndReason.STOPPED, 160.5)).reason is EndReason.EXITED

    def test_processes_and_disk_count_only_where_the_program_failed(self) -> None:
        assert end(code=1, crowded=True).reason is EndReason.TOO_MANY_PROCESSES
        assert (end(code=1, want="room").reason, "16 MiB" in end(code=1, want="room").detail) == (
            EndReason.DISK_FULL,
            True,
        )
        assert "another file" in end(code=1, want="files").detail
        assert end(crowded=True, want="room").reason is EndReason.EXITED

    def test_a_box_of_which_nobody_saw_the_end_is_lost_and_not_blamed(self) -> None:
        for code in (137, 143, 255, 0):
            assert end(code=code, status=None, seen=False).reason is EndReason.BOX_LOST

    def test_a_box_that_somebody_else_asked_to_end_while_nobody_looked_is_lost(self) -> None:
        assert end(code=143, told=True, seen=False).reason is EndReason.BOX_LOST
        assert end(code=143, told=True).reason is EndReason.SIGNALLED

    def test_a_box_that_ended_by_itself_while_nobody_looked_is_what_it_says(self) -> None:
        assert end(code=3, seen=False).reason is EndReason.EXIT_CODE

    def test_a_kill_from_outside_that_we_saw_is_the_program_s_own(self) -> None:
        assert end(code=137, status=None).reason is EndReason.SIGNALLED

    def test_a_container_that_is_gone_is_a_lost_box(self) -> None:
        assert end(state=None).reason is EndReason.BOX_LOST

    def test_a_python_that_never_reached_the_program_is_ours(self) -> None:
        early = replace(WELL, exit_code=127, finished_at=101.0)
        assert end(state=early, note=Note()).reason is EndReason.NODE_ERROR

    @pytest.mark.parametrize("code", [0, 1, 137])
    def test_a_program_that_takes_the_notes_away_does_not_choose_an_end_of_ours(self, code: int) -> None:
        late = replace(WELL, exit_code=code)
        for note in (Note(), Note(status=code)):
            assert end(state=late, note=note).reason in (EndReason.EXITED, EndReason.EXIT_CODE, EndReason.SIGNALLED)
        early = replace(late, finished_at=101.0)
        assert (end(state=early, note=Note()).reason is EndReason.NODE_ERROR) is (code != 0)


class TestReading:
    def test_times_of_the_engine_are_read_to_the_microsecond(self) -> None:
        assert parse_time("1970-01-01T00:01:40.123456789Z") == pytest.approx(100.123456)
        assert parse_time("1970-01-01T00:01:40Z") == 100.0
        assert parse_time("nonsense") == 0.0

    def test_a_container_that_was_never_started_has_no_end(self) -> None:
        assert read_state(None) is None
        assert read_state({"State": {"Status": "created"}}) is None

    def test_a_note_may_be_anything(self) -> None:
        wild = {"status": "1" * 500, "peak_memory": "-5", "disk": "<b>", "pids": "x", "processor": "٣", "killed": "1e9"}
        assert read_note(wild, reached=True) == Note(reached=True)
        assert read_note({"status": "-9", "processor": "1500000"}, reached=True).cpu_seconds == 1.5
