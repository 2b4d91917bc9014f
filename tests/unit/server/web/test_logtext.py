"""A program's output on a page: hostile bytes become plain characters, and cuts fall where they do no harm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsml_server.web.logtext import TAIL, align_start, clean, fold_returns, tail_offset


@pytest.mark.parametrize(
    "raw",
    [
        b"\x1b[31mred\x1b[0m",
        b"\x1b]0;window title\x07red",
        b"\x1b]8;;http://evil.example\x1b\\red\x1b]8;;\x1b\\",
        b"\x1b[2J\x1b[1;1Hred",
        b"\x1bcred",
        b"\x1b(Bred",
    ],
)
def test_terminal_sequences_leave_no_trace(raw: bytes) -> None:
    assert clean(raw).text == "red"


def test_control_and_direction_characters_are_shown_as_unreadable() -> None:
    assert clean("a\x00b\x08c\u202ed\u2066e".encode()).text == "a\ufffdb\ufffdc\ufffdd\ufffde"


def test_tabs_newlines_and_carriage_returns_stay() -> None:
    assert clean(b"a\tb\rc\nd\r\ne").text == "a\tb\rc\nd\ne"


def test_invalid_utf8_does_not_stop_the_log() -> None:
    assert clean(b"before \xff\xfe after").text == "before \ufffd\ufffd after"


@pytest.mark.parametrize("kept", [1, 2])
def test_a_character_cut_in_two_waits_for_its_other_half(kept: int) -> None:
    letter = "한".encode()
    first = clean(b"x" + letter[:kept], final=False)
    assert first == ("x", 1)
    assert clean((b"x" + letter)[first.consumed :], final=False).text == "한"


@pytest.mark.parametrize("cut", range(1, 5))
def test_a_terminal_sequence_cut_in_two_waits_for_its_other_half(cut: int) -> None:
    raw = b"a\x1b[31mb"
    first = clean(raw[: 1 + cut], final=False)
    assert first == ("a", 1)
    assert clean(raw[first.consumed :], final=False).text == "b"


def test_the_end_of_a_log_is_shown_even_when_cut() -> None:
    assert clean(b"x\xed\x95", final=True) == ("x\ufffd", 3)


@given(st.binary(max_size=400), st.integers(1, 60))
def test_reading_in_pieces_consumes_every_byte_once_and_shows_no_control_character(data: bytes, step: int) -> None:
    position, text = 0, ""
    for end in [*range(step, len(data), step), len(data)]:
        piece = clean(data[position:end], final=end == len(data))
        text, position = text + piece.text, position + piece.consumed
    assert position == len(data)
    assert not [c for c in text if c < " " and c not in "\t\n\r"]


@given(st.text(max_size=200), st.integers(1, 7))
def test_readable_text_arrives_whole_however_it_is_cut(text: str, step: int) -> None:
    plain = "".join(c for c in text if c.isprintable() or c == "\n")
    data, position, shown = plain.encode(), 0, ""
    for end in [*range(step, len(data), step), len(data)]:
        piece = clean(data[position:end], final=end == len(data))
        shown, position = shown + piece.text, position + piece.consumed
    assert shown == clean(data).text


def test_of_a_line_written_over_only_the_last_version_is_shown() -> None:
    assert fold_returns("10%\r50%\r100%\ndone\r\nlast\r") == "100%\ndone\nlast"


def test_a_tail_starts_with_a_whole_line() -> None:
    assert tail_offset(10) == 0
    assert tail_offset(TAIL + 7) == 7
    assert align_start(b"rest of a line\nnext", 100) == len(b"rest of a line\n")
    assert align_start(b"the first line\nnext", 0) == 0


def test_a_tail_of_one_endless_line_starts_with_a_whole_character() -> None:
    data = "한글".encode()[1:] * 5000
    assert align_start(data, 100) == 2
