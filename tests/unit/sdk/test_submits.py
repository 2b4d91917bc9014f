"""`nsml.paused` in a submit: checkpoint in, prediction out, every failure with its phase and whose it is."""

import json
from typing import Any

import pytest

MODEL = """
import os, pickle, nsml
def save(path): pickle.dump({'a': 1}, open(os.path.join(path, 'vocabulary'), 'wb'))
def load(path): globals().update(vocabulary=pickle.load(open(os.path.join(path, 'vocabulary'), 'rb')))
"""
TRAIN = MODEL + "nsml.bind(save, load)\nnsml.save('best')\n"
PAUSE = "\nnsml.bind(save, load, infer)\nnsml.paused(scope=locals())\nprint('never here')\n"
ROWS = "def test_data_loader(root_path):\n    return ['row %d' % n for n in range(6000)]\n"


@pytest.fixture
def submit(box: Any) -> Any:
    """A box for predict, with a good checkpoint and a loader of 6,000 rows."""
    box.run(TRAIN)
    box.prepare_submit("best")
    box.write_loader(ROWS)
    return box


def read_phases(box: Any) -> list[str]:
    return [
        line.get("phase", line["k"]) for line in box.read_journal() if line["k"] in ("paused", "phase", "done", "error")
    ]


def read_error(box: Any) -> dict[str, Any]:
    assert not box.prediction.exists()
    assert not box.read_journal("done")
    (error,) = box.read_journal("error")
    return error


def test_infer_answers_in_chunks_and_each_result_is_one_line(submit: Any) -> None:
    done = submit.run(
        MODEL
        + "def infer(rows, **kwargs):\n    print(len(rows))\n    return zip([0.5] * len(rows), [r[4:] for r in rows])"
        + PAUSE
    )
    assert done.stdout == "Paused.\n2500\n2500\n1000\n"
    assert submit.prediction.read_text().splitlines() == [str(n) for n in range(6000)]
    assert read_phases(submit) == ["paused", "load", "infer", "write", "done"]
    assert [entry.name for entry in (submit.home / "out").iterdir()] == ["prediction"]


def test_a_submit_may_ask_for_other_chunks(submit: Any) -> None:
    submit.variables["NSML_BATCH"] = "2400"
    done = submit.run(MODEL + "def infer(rows):\n    print(len(rows))\n    return [(1, 0)] * len(rows)" + PAUSE)
    assert done.stdout == "Paused.\n2400\n2400\n1200\n"


def test_a_tuple_of_queries_and_references_becomes_two_arguments(submit: Any) -> None:
    submit.write_loader("def test_data_loader(root): return ['q1', 'q2'], ['r1']")
    submit.run(MODEL + "def infer(queries, db): return [(0, (q, db)) for q in queries]" + PAUSE)
    assert submit.prediction.read_text() == "('q1', ['r1'])\n('q2', ['r1'])\n"


def test_feed_infer_has_full_control_and_is_the_only_thing_called(submit: Any) -> None:
    submit.write_loader(
        """
        import numpy
        from nsml import DATASET_PATH
        def test_data_loader(root): raise ValueError('Do not call this function!')
        def feed_infer(output_file, infer_func):
            answers = [infer_func(DATASET_PATH, phase='test'), infer_func(DATASET_PATH)]
            numpy.save(output_file, numpy.array(answers))
        """
    )
    submit.run(MODEL + "import numpy\ndef infer(root, phase='none'): return len(phase)" + PAUSE)
    assert submit.prediction.read_bytes()[:6] == b"\x93NUMPY"


def test_a_data_loader_of_the_participant_is_never_taken_for_the_organisers(submit: Any) -> None:
    (submit.app / "data_loader.py").write_text("def test_data_loader(root): return ['cheat']\n")
    submit.run(MODEL + "import data_loader\ndef infer(rows): return [(0, 'honest')] * len(rows)" + PAUSE)
    assert submit.prediction.read_text() == "honest\n" * 6000


def test_paused_never_returns_even_into_a_program_that_catches_everything(submit: Any) -> None:
    program = (
        MODEL
        + "def infer(rows): exit(0)\nnsml.bind(save, load, infer)\ntry: nsml.paused()\nexcept BaseException: print('caught')"
    )
    done = submit.run(program, fails=True)
    assert (done.stdout, done.returncode) == ("Paused.\n", 1)
    assert (read_error(submit)["type"], read_error(submit)["phase"]) == ("SystemExit", "infer")


def test_a_vocabulary_that_was_not_saved_is_an_error_of_load_with_the_own_file_and_line(box: Any) -> None:
    box.run("import nsml\nnsml.save('best', save_fn=lambda path: open(path + '/weights', 'w').write('w'))")
    box.prepare_submit("best")
    box.write_loader(ROWS)
    done = box.run(MODEL + "def infer(rows): return []" + PAUSE, fails=True)
    error = read_error(box)
    assert (error["phase"], error["type"], error["organiser"]) == ("load", "FileNotFoundError", False)
    file, line, function = error["frames"][-1]
    assert (file, line, function) == (str(box.app / "main.py"), 4, "load")
    assert "Traceback" in done.stderr


def test_an_error_in_infer_is_the_participants(submit: Any) -> None:
    submit.run(MODEL + "def infer(rows): return vocabulary['unknown']" + PAUSE, fails=True)
    error = read_error(submit)
    assert (error["phase"], error["type"], error["organiser"], error["infer_calls"]) == ("infer", "KeyError", False, 1)
    assert error["frames"][-1][2] == "infer"


@pytest.mark.parametrize(
    "loader",
    [
        "import nowhere",
        "def test_data_loader(root): raise OSError('disk')",
        "def feed_infer(out, ask): 1 / 0",
        "x = 1",
        "def (",
    ],
)
def test_an_error_in_the_organisers_loader_is_not_the_participants(submit: Any, loader: str) -> None:
    submit.write_loader(loader)
    submit.run(MODEL + "def infer(rows): return []" + PAUSE, fails=True)
    error = read_error(submit)
    assert (error["phase"], error["organiser"], error["infer_calls"]) == ("infer", True, 0)


def test_a_loader_that_cannot_use_what_infer_returned_fails_in_the_phase_write(submit: Any) -> None:
    submit.write_loader("def feed_infer(out, ask): open(out, 'w').write(ask('path')[1])")
    submit.run(MODEL + "def infer(path): return 7" + PAUSE, fails=True)
    error = read_error(submit)
    assert (error["phase"], error["type"], error["organiser"], error["infer_calls"]) == ("write", "TypeError", True, 1)


@pytest.mark.parametrize(
    ("answer", "phase", "kind", "sentence"),
    [
        ("[(0, 1)] * 3", "infer", "WrongLength", "infer was given 2500 rows and returned 3 results"),
        ("None", "infer", "InvalidResult", "infer returned a NoneType; it must return a list of"),
        ("'ab' * 5", "infer", "InvalidResult", "infer returned a str"),
        (
            "[1] * len(rows)",
            "infer",
            "InvalidResult",
            "Result 1 of infer is a int; each must be a (probability, result)",
        ),
        ("['ab'] * len(rows)", "infer", "InvalidResult", "Result 1 of infer is a str"),
        ("[(0, 'a\\nb')] * len(rows)", "write", "InvalidLine", "Result 1 holds a line break"),
    ],
)
def test_a_wrong_answer_of_infer_is_told_in_one_sentence(
    submit: Any, answer: str, phase: str, kind: str, sentence: str
) -> None:
    submit.run(MODEL + f"def infer(rows): return {answer}" + PAUSE, fails=True)
    error = read_error(submit)
    assert (error["phase"], error["type"], error["module"]) == (phase, kind, "nsml.errors")
    assert error["message"].startswith(sentence)
    if kind == "WrongLength":
        assert (error["expected"], error["got"]) == (2500, 3)


@pytest.mark.parametrize("body", ["pass", "open(out, 'w')"])
def test_a_missing_or_empty_prediction_file_is_an_error_of_write(submit: Any, body: str) -> None:
    submit.write_loader(f"def feed_infer(out, ask): {body}")
    submit.run(MODEL + "def infer(rows): return []" + PAUSE, fails=True)
    assert (read_error(submit)["phase"], read_error(submit)["type"]) == ("write", "EmptyPrediction")


def test_a_submit_without_a_bound_infer_says_so(submit: Any) -> None:
    submit.run(MODEL + "nsml.bind(save, load)\nnsml.paused()", fails=True)
    assert "nsml.bind(infer=your_function)" in read_error(submit)["message"]


def test_an_error_before_paused_has_the_phase_start_and_the_old_hook_still_runs(submit: Any) -> None:
    done = submit.run("import nsml\nopen('/data/kin/train/train_data')", fails=True)
    error = read_error(submit)
    assert (error["phase"], error["type"], error["module"]) == ("start", "FileNotFoundError", "builtins")
    assert error["frames"] == [[str(submit.app / "main.py"), 2, "<module>"]]
    assert done.stderr.count("Traceback") == 1


def test_a_broken_file_that_main_imports_is_named_with_its_line(box: Any) -> None:
    (box.app / "model.py").write_text("x = 1\ndef f(:\n")
    box.run("import nsml\nimport model", fails=True)
    assert read_error(box)["frames"][-1] == [str(box.app / "model.py"), 2, "<module>"]


def test_a_deep_recursion_and_a_huge_message_stay_one_bounded_line(box: Any) -> None:
    box.run("import nsml\ndef f(n):\n    if n: f(n - 1)\n    raise ValueError('x' * 10**6)\nf(900)", fails=True)
    error = read_error(box)
    assert len(error["frames"]) == 100
    assert len(json.dumps(error)) < 64 * 1024


def test_in_a_training_paused_returns_at_once(box: Any) -> None:
    assert box.run("import nsml\nnsml.paused(scope=locals())\nprint('on')").stdout == "on\n"
