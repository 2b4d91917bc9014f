"""What a log that ends with a traceback, or with a refusal of its arguments, says."""

import pytest

from nsml_server.domain import journal
from nsml_server.domain.logtail import Refusal, error_at_end, refusal_at_end

SYNTAX = b"""  File "/app/main.py", line 3
    def broken(:
               ^
SyntaxError: invalid syntax
"""
RAISED = b"""loading
Traceback (most recent call last):
  File "/app/main.py", line 9, in <module>
    main()
  File "/app/main.py", line 5, in main
    raise http.client.BadStatusLine("a: b")
http.client.BadStatusLine: a: b
"""
CHAINED = RAISED + b"\nDuring handling of the above exception, another exception occurred:\n\n" + SYNTAX


@pytest.mark.parametrize(
    ("log", "kind", "message", "line"),
    [
        (SYNTAX, "SyntaxError", "invalid syntax", 3),
        (RAISED, "BadStatusLine", "a: b", 5),
        (CHAINED, "SyntaxError", "invalid syntax", 3),
        (b'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\nKeyboardInterrupt\n', "KeyboardInterrupt", "", 1),
    ],
)  # fmt: skip
def test_the_last_traceback_is_read(log: bytes, kind: str, message: str, line: int) -> None:
    error = error_at_end(log, 1.0)
    assert error is not None
    assert (error["type"], error["message"], error["frames"][-1][1]) == (kind, message, line)
    assert journal.parse_object(error) is not None


@pytest.mark.parametrize(
    "log", [b"", b"epoch 1\n", b"ValueError: printed by hand\n", b"\xff\xfe", b'  File "x.py", line 1\n']
)
def test_a_log_that_ends_otherwise_says_nothing(log: bytes) -> None:
    assert error_at_end(log, 1.0) is None


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("usage: main.py [-h]\nmain.py: error: unrecognized arguments: --iteration best\n", ("iteration",)),
        ("main.py: error: unrecognized arguments: --mode train --pause 1\n", ("mode", "pause")),
        ("main.py: error: ambiguous option: --mode could match --model, --models\n", ("mode",)),
        ("Usage: main.py [OPTIONS]\n\nError: no such option: --mode\n", ("mode",)),
        ("Error: No such option: --pause (Possible options: --patience)\n", ("pause",)),
        ("Error: No such option '--pause'.\n", ("pause",)),
        ("ERROR: Could not consume arg: --iteration\nUsage: main.py\n", ("iteration",)),
        ("FATAL Flags parsing error:\n  Unknown command line flag 'mode'. Did you mean: model ?\n", ("mode",)),
    ],
)
def test_each_librarys_words_for_an_argument_it_does_not_know(said: str, names: tuple[str, ...]) -> None:
    assert refusal_at_end(said.encode()) == Refusal(names)


def test_an_iteration_that_must_be_a_number_is_another_refusal() -> None:
    said = b"main.py: error: argument --iteration: invalid int value: 'best'\n"
    assert refusal_at_end(said) == Refusal(("iteration",), is_value=True)


@pytest.mark.parametrize(
    "said", ["", "epoch 1\n", "main.py: error: unrecognized arguments: --lr 2\n", "the --mode is unknown\n", "\xff"]
)
def test_other_words_are_no_refusal(said: str) -> None:
    assert refusal_at_end(said.encode("latin-1")) is None
