"""Every end has a final state and a sentence, and blames nobody who is not to blame."""

import re

import pytest

from nsml_server.domain.reasons import Reason, limit_of, outcome, signal_name
from nsml_server.domain.states import RunState
from nsml_worker.contract import EndReason, Limits


@pytest.mark.parametrize("reason", EndReason)
def test_every_end_the_worker_can_tell_is_known(reason: EndReason) -> None:
    assert Reason(reason.value) == reason.value
    assert outcome(reason).state.is_final


@pytest.mark.parametrize("reason", Reason)
def test_every_end_has_a_sentence_that_needs_no_facts(reason: Reason) -> None:
    text = outcome(reason).describe()
    assert re.match(r"[A-Z`].*[.]$", text)
    assert "{" not in text


@pytest.mark.parametrize("reason", Reason)
def test_a_failure_names_the_next_step(reason: Reason) -> None:
    ended = outcome(reason)
    assert bool(ended.hint) is (ended.state is RunState.FAILED)


@pytest.mark.parametrize("reason", Reason)
def test_only_our_own_faults_are_tried_again(reason: Reason) -> None:
    ended = outcome(reason)
    assert ended.ours or not ended.retry


def test_what_a_machine_did_is_tried_again_and_what_a_program_did_is_not() -> None:
    assert {reason for reason in Reason if outcome(reason).retry} == {
        Reason.BOX_LOST,
        Reason.NODE_ERROR,
        Reason.LEASE_LOST,
    }


def test_the_evaluation_that_breaks_is_the_organisers() -> None:
    ended = outcome(Reason.EVALUATION_FAILED)
    assert ended.ours
    assert not ended.retry
    assert "not your program" in ended.describe({"detail": "it printed nothing"})


def test_facts_fill_the_sentence() -> None:
    assert (
        outcome(Reason.WRONG_LENGTH)
        .describe({"got": 17, "expected": 20})
        .startswith("The prediction has 17 rows and the test set has 20.")
    )
    assert "exit code 3" in outcome(Reason.EXIT_CODE).describe({"exit_code": 3})


def test_a_fact_in_braces_is_not_filled_again() -> None:
    assert "{session}" in outcome(Reason.NODE_ERROR).describe({"detail": "no space on {session}", "session": "x"})


def test_an_unknown_word_is_refused() -> None:
    with pytest.raises(ValueError):
        outcome("bored")


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (Reason.OUT_OF_MEMORY, "256 MiB"),
        (Reason.DISK_FULL, "1.5 GiB"),
        (Reason.WALL_CLOCK, "3600 seconds"),
        (Reason.TOO_MANY_PROCESSES, "64"),
        (Reason.EXIT_CODE, ""),
    ],
)
def test_a_limit_is_told_as_people_read_it(reason: Reason, text: str) -> None:
    limits = Limits(memory=256 * 2**20, disk=3 * 2**29, wall_clock=3600.0, processes=64)
    assert limit_of(reason, limits) == text


def test_no_limit_is_told_where_none_is_known() -> None:
    assert limit_of(Reason.OUT_OF_MEMORY, None) == ""
    assert limit_of(Reason.OUT_OF_MEMORY, Limits()) == ""


def test_signals_have_names() -> None:
    assert signal_name(11) == "SIGSEGV"
    assert "--shm-size" in signal_name(7)
    assert signal_name(99) == "signal 99"
    assert signal_name(None) == "an unknown signal"
