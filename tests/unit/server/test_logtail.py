"""What a log that ends with a traceback says."""

import pytest

from nsml_server.domain import journal
from nsml_server.domain.logtail import error_at_end

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
