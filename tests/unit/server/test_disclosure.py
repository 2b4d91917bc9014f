"""What a participant is told of a failure: enough to mend it, and nothing of the hidden test."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsml_server.domain.conventions import read_sources
from nsml_server.domain.disclosure import Failure, describe_failure
from nsml_server.domain.logtail import Refusal
from nsml_server.domain.reasons import Reason
from nsml_worker.contract import Ended, EndReason, Limits

SECRET = "HIDDEN-ROW 겨울 옷은 어디서"
CODE = {
    "main.py": "\n".join(
        [
            "import pickle, os",
            "class NoSuchWord(Exception): pass",
            "def load(path):",
            "    with open(os.path.join(path, 'vocabulary.pkl'), 'rb') as saved:",
            "        return pickle.load(saved)",
            "def infer(rows):",
            "    return [(1.0, vocabulary[row]) for row in rows]",
        ]
    ),
    "net/words.py": "def look_up(word):\n    return TABLE[word]\n",
}


def error(phase: str = "infer", kind: str = "KeyError", message: str = SECRET, **fields: Any) -> dict[str, Any]:
    frames = [["/opt/sdk/nsml/_prediction.py", 30, "run"], ["/app/main.py", 7, "infer"]]
    return {
        "k": "error",
        "t": 1.0,
        "phase": phase,
        "type": kind,
        "module": "builtins",
        "message": message,
        "frames": frames,
        "organiser": False,
        **fields,
    }


def ended(told: dict[str, Any] | None = None, reason: EndReason = EndReason.EXIT_CODE, code: int = 1) -> Ended:
    return Ended(reason, exit_code=code, error=told)


def at_submit(told: Ended, **options: Any) -> Failure:
    given = {"checkpoint": "3", "checkpoint_files": ["model"], "hidden": True, "phase_seen": "infer", **options}
    return describe_failure(told, code=CODE.get, **given)


def in_training(told: Ended, **options: Any) -> Failure:
    return describe_failure(told, code=CODE.get, **options)


def test_a_vocabulary_left_in_memory_is_told_so() -> None:
    failure = at_submit(ended(error()))
    assert failure == Failure(
        Reason.INFER_FAILED,
        "infer",
        "The program failed while it predicted (phase infer): KeyError at main.py:7, "
        "`return [(1.0, vocabulary[row]) for row in rows]`. What training makes, such as a vocabulary, exists at submit only if "
        "`save` writes it beside the model and `load` reads it back.",
    )


def test_a_vocabulary_file_that_save_forgot_is_named_with_what_the_checkpoint_holds() -> None:
    told = error(
        "load",
        "FileNotFoundError",
        "[Errno 2] No such file or directory: '/nsml/checkpoint/vocabulary.pkl'",
        frames=[["/app/main.py", 4, "load"]],
    )
    failure = at_submit(ended(told))
    assert (failure.reason, failure.phase) == (Reason.LOAD_FAILED, "load")
    assert failure.message == (
        'The program failed while it loaded checkpoint "3" (phase load): FileNotFoundError at main.py:4, '
        "`with open(os.path.join(path, 'vocabulary.pkl'), 'rb') as saved:`. "
        'Checkpoint "3" holds model and no vocabulary.pkl. What training makes, such as a vocabulary, exists at submit only if '
        "`save` writes it beside the model and `load` reads it back."
    )


def test_a_file_looked_for_in_the_wrong_place_is_told_where_it_is() -> None:
    told = error("load", "FileNotFoundError", "[Errno 2] No such file or directory: 'vocabulary.pkl'")
    assert "open it below the path" in at_submit(ended(told), checkpoint_files=["sub/vocabulary.pkl"]).message


def test_a_file_name_that_is_not_in_the_code_is_not_repeated() -> None:
    told = error("infer", "FileNotFoundError", f"[Errno 2] No such file or directory: '/tmp/{SECRET}.txt'")
    message = at_submit(ended(told)).message
    assert "HIDDEN" not in message
    assert "FileNotFoundError" in message


@pytest.mark.parametrize("kind", ["ValueError", "UnpicklingError", "NoSuchWord", "OutOfMemoryError", "LinAlgError"])
def test_types_that_are_well_known_or_written_in_the_code_are_named(kind: str) -> None:
    assert f": {kind} at main.py:7" in at_submit(ended(error(kind=kind, module="__main__"))).message


@pytest.mark.parametrize("kind", ["HIDDEN_ROW", "NoSuch", "WrongLength", "Key Error", "a" * 300, "", "<b>"])
def test_a_type_that_could_carry_a_row_is_not_named(kind: str) -> None:
    message = at_submit(ended(error(kind=kind, module="forged"))).message
    assert ": an error of its own at main.py:7" in message


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [["/app/main.py", 8, "f"]],
        [["/app/main.py", 0, "f"]],
        [[f"/app/{SECRET}.py", 1, "f"]],
        [["/usr/lib/python3/json/decoder.py", 1, "f"]],
        [["main.py", 1, "f"]],
        [["/app/../app", 1, "f"]],
        [[1, 2, 3], "x", None],
        [["/app/app/app/app/app/app/app/main.py", 1, "f"]],
    ],
)
def test_only_lines_of_uploaded_files_are_shown(frames: list[Any]) -> None:
    message = at_submit(ended(error(frames=frames))).message
    assert "phase infer): KeyError. " in message
    assert "HIDDEN" not in message


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/app/main.py", "main.py:2"),
        ("/data/boxes/7-1/app/main.py", "main.py:2"),
        ("/home/app/boxes/7-1/app/net/words.py", "net/words.py:2"),
    ],
)
def test_a_line_is_found_wherever_the_box_was_laid_out(path: str, shown: str) -> None:
    assert f"at {shown}, `" in at_submit(ended(error(frames=[[path, 2, "f"]]))).message


def test_the_innermost_line_of_ones_own_is_shown() -> None:
    frames = [["/app/main.py", 7, "infer"], ["/app/net/words.py", 2, "look_up"], ["/usr/lib/python3/re.py", 1, "x"]]
    assert "at net/words.py:2, `return TABLE[word]`" in at_submit(ended(error(frames=frames))).message


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.just(SECRET) | st.sampled_from(["KeyError", "WrongLength", "FileNotFoundError", "OSError"]),
            "module": st.just(SECRET) | st.just("nsml.errors"),
            "phase": st.sampled_from(["start", "save", "load", "infer", "write", SECRET]),
            "frames": st.lists(
                st.tuples(st.just("/app/main.py") | st.just(SECRET), st.integers(-1, 99), st.just(SECRET))
            ),
            "message": st.just(SECRET) | st.just(f"'{SECRET}'"),
            "organiser": st.booleans() | st.just(SECRET),
            "expected": st.integers() | st.just(SECRET),
            "got": st.integers() | st.just(SECRET),
            SECRET: st.just(SECRET),
        },
    ),
    st.sampled_from([None, "load", "infer", "write"]),
)
def test_nothing_the_program_writes_carries_a_row_out(fields: dict[str, Any], seen: str | None) -> None:
    told = json.loads(json.dumps(error(**{k: v for k, v in fields.items() if k not in ("type", "phase")}) | fields))
    message = at_submit(ended(told), phase_seen=seen).message
    assert "HIDDEN" not in message
    assert "겨울" not in message
    assert all(len(digits) <= 5 for digits in "".join(c if c.isdigit() else " " for c in message).split())


def test_a_rehearsal_on_public_rows_shows_the_message() -> None:
    assert "KeyError: HIDDEN-ROW" in at_submit(ended(error()), hidden=False).message


def test_a_wrong_length_names_both_numbers() -> None:
    told = error("infer", "WrongLength", module="nsml.errors", expected=20, got=17)
    failure = at_submit(ended(told))
    assert failure.reason is Reason.WRONG_LENGTH
    assert failure.message.startswith("`infer` returned 17 results for 20 rows (phase infer).")


def test_numbers_that_the_sdk_cannot_have_written_are_not_repeated() -> None:
    told = error("infer", "WrongLength", module="nsml.errors", expected=20, got=2**30)
    assert at_submit(ended(told)).message.startswith("`infer` returned another number of results for 20 rows")


@pytest.mark.parametrize("kind", ["InvalidResult", "InvalidLine", "EmptyPrediction", "NotBound"])
def test_what_the_sdk_refuses_has_a_sentence_of_its_own(kind: str) -> None:
    message = at_submit(ended(error("write", kind, module="nsml.errors"))).message
    assert "KeyError" not in message
    assert message.count(". ") == 1
    assert "(phase " in message


def test_the_organisers_loader_is_not_blamed_on_the_program() -> None:
    failure = at_submit(ended(error("write", "AssertionError", organiser=True)))
    assert (failure.reason, failure.phase) == (Reason.LOADER_FAILED, "write")
    assert "The dataset's own data_loader.py failed with AssertionError" in failure.message


def test_a_program_that_never_called_paused() -> None:
    for reason in (EndReason.EXITED, EndReason.OUTPUT_MISSING):
        failure = at_submit(ended(reason=reason, code=0), phase_seen=None)
        assert (failure.reason, failure.phase) == (Reason.PAUSED_NOT_CALLED, "start")
        assert "nsml.paused" in failure.message


def test_a_parser_that_does_not_know_the_reserved_arguments() -> None:
    failure = at_submit(ended(code=2), phase_seen=None)
    assert (failure.reason, failure.phase) == (Reason.START_FAILED, "start")
    assert "exit code 2" in failure.message
    assert "--mode test --pause 1" in failure.message


def test_a_program_that_leaves_while_it_predicts() -> None:
    assert at_submit(ended(code=7)).message.startswith(
        "The program ended with exit code 7 while it predicted (phase infer)"
    )
    assert at_submit(ended(code=0), phase_seen="load").reason is Reason.LOAD_FAILED


def test_data_touched_before_paused_is_told_so() -> None:
    told = error("start", "FileNotFoundError", "[Errno 2] No such file or directory: '/data/kin/train/train_data'")
    message = at_submit(ended(told), phase_seen=None).message
    assert "phase start" in message
    assert "train part of the dataset is absent" in message


def test_a_package_that_is_missing_says_where_to_name_it() -> None:
    assert "requirements.txt" in at_submit(ended(error("start", "ModuleNotFoundError"))).message


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (EndReason.OUT_OF_MEMORY, "256 MiB"),
        (EndReason.WALL_CLOCK, "60 seconds"),
        (EndReason.TOO_MANY_PROCESSES, "64"),
        (EndReason.SIGNALLED, "SIGSEGV"),
    ],
)
def test_a_limit_is_named_with_its_phase(reason: EndReason, told: str) -> None:
    limits = Limits(memory=256 * 2**20, wall_clock=60.0, processes=64)
    failure = at_submit(Ended(reason, signal=11, error=error()), limits=limits, phase_seen="load")
    assert (failure.reason, failure.phase) == (Reason(reason), "load")
    assert told in failure.message
    assert '"3" (phase load)' in failure.message
    assert in_training(Ended(reason, signal=11), limits=limits).phase is None


def test_a_training_that_fails_shows_all() -> None:
    failure = in_training(
        ended(error("start", "ValueError", "the learning rate is negative")), facts={"session": "a/b/1"}
    )
    assert failure == Failure(
        Reason.EXIT_CODE,
        None,
        "The program failed with ValueError: the learning rate is negative at main.py:7, "
        "`return [(1.0, vocabulary[row]) for row in rows]`. `nsmlctl logs a/b/1` shows the whole traceback.",
    )


def test_a_training_that_leaves_with_a_code_says_which() -> None:
    failure = in_training(ended(code=3), facts={"session": "a/b/1"})
    assert failure.message == "The program ended with exit code 3. `nsmlctl logs a/b/1` shows what it wrote last."


def test_a_save_callback_that_raises_is_named() -> None:
    message = in_training(ended(error("save", "OSError", "disk quota"))).message
    assert message.startswith("The program failed in `save` with OSError: disk quota at main.py:7")


@pytest.mark.parametrize("reason", [reason for reason in EndReason if reason is not EndReason.EXITED])
@pytest.mark.parametrize("told", [None, error()])
def test_every_end_has_a_sentence_in_a_training_and_at_a_submit(reason: EndReason, told: dict[str, Any] | None) -> None:
    for failure in (in_training(ended(told, reason)), at_submit(ended(told, reason))):
        assert failure.message.endswith(".")
        assert "{" not in failure.message
        assert "HIDDEN" not in failure.message or failure.phase is None


def test_a_refused_argument_is_named_with_the_line_to_add_in_a_fork_and_in_a_rehearsal() -> None:
    refusal = Refusal(("mode", "iteration"))
    fork = in_training(ended(code=2), refusal=refusal)
    assert (fork.reason, fork.phase) == (Reason.EXIT_CODE, None)
    rehearsal = at_submit(ended(code=2), phase_seen=None, hidden=False, refusal=refusal)
    assert (rehearsal.reason, rehearsal.phase) == (Reason.START_FAILED, "start")
    for failure in (fork, rehearsal):
        assert "does not know `--mode` and `--iteration`" in failure.message
        assert "parser.add_argument('--iteration', default='0')" in failure.message
        assert "parse_known_args()" in failure.message
        assert "--pause`, " not in failure.message


def test_an_iteration_read_as_a_number_is_told_to_be_read_as_a_text() -> None:
    failure = in_training(ended(code=2), refusal=Refusal(("iteration",), is_value=True))
    assert "`--iteration` only as a number" in failure.message
    assert "parser.add_argument('--iteration', default='0')" in failure.message


def test_an_error_of_the_programs_own_says_more_than_a_refusal() -> None:
    failure = in_training(ended(error(phase="start")), refusal=Refusal(("mode",)))
    assert "KeyError" in failure.message


def test_at_submit_the_source_says_which_reserved_arguments_are_missing() -> None:
    seen = read_sources(["parser.add_argument('--mode'); nsml.paused()"])
    failure = at_submit(ended(code=2), phase_seen=None, seen=seen)
    assert (failure.reason, failure.phase) == (Reason.START_FAILED, "start")
    assert "parser.add_argument('--pause', type=int, default=0)" in failure.message
    assert "add_argument('--mode'" not in failure.message


def test_a_submit_that_trains_until_its_limit_is_told_that_it_trained_again() -> None:
    seen = read_sources(["import nsml\nnsml.bind()\nif args.pause and args.mode == 'train':\n    nsml.paused()"])
    limits = Limits(wall_clock=3600.0)
    told = Ended(EndReason.WALL_CLOCK)
    failure = at_submit(told, phase_seen=None, seen=seen, limits=limits)
    assert failure.reason is Reason.WALL_CLOCK
    assert "it trained again instead" in failure.message
    assert "(3600 seconds)" in failure.message
    assert "trained again" not in at_submit(told, phase_seen="infer", seen=seen, limits=limits).message
    assert "trained again" not in in_training(told, seen=seen, limits=limits).message


def test_a_submit_that_ends_well_without_an_answer_says_what_the_source_lacks() -> None:
    failure = at_submit(ended(code=0), phase_seen=None, seen=read_sources(["import nsml\nnsml.bind(model=model)"]))
    assert failure.reason is Reason.PAUSED_NOT_CALLED
    assert "It never calls `nsml.paused`" in failure.message


@pytest.mark.parametrize("reason", [EndReason.DISK_FULL, EndReason.OUT_OF_MEMORY])
def test_a_limit_is_told_as_the_machine_saw_it(reason: EndReason) -> None:
    said = "The box's disk of 64 MiB has no place for another file; the code, /tmp and /nsml share it."
    failure = in_training(Ended(reason, exit_code=1, detail=said), limits=Limits(disk=2**26))
    assert failure.message.startswith(f"{said} ")


def test_who_tidied_up_on_a_full_disk_is_told_how_large_it_is() -> None:
    told = error("save", "OSError", "[Errno 28] No space left on device")
    message = in_training(ended(told), limits=Limits(disk=2**26)).message
    assert "The box's disk of 64 MiB was full, or its /dev/shm" in message
    assert "`--shm-size`" in message
    assert "The box's disk was full" in in_training(ended(told), limits=Limits()).message
