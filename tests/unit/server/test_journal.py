"""No line of a journal is trusted, and a curve keeps its extremes."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsml_server.domain.journal import MAX_NAMES, Point, fold, parse, parse_object, sample, series

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(alphabet=st.characters()),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=20,
)
KINDS = ["report", "save", "bound", "paused", "phase", "done", "error", "note"]
FIELDS = dict.fromkeys(
    [
        "values",
        "step",
        "summary",
        "name",
        "dir",
        "phase",
        "type",
        "module",
        "message",
        "frames",
        "text",
        "organiser",
        "infer_calls",
        "expected",
        "got",
        "save",
        "load",
        "infer",
    ],
    json_values,
)
points = st.lists(st.floats(-100, 100), max_size=300).map(
    lambda values: [Point(float(index), value, float(index)) for index, value in enumerate(values)]
)


def line(kind: str, **fields: object) -> bytes:
    return json.dumps({"k": kind, "t": 1000.5, **fields}).encode()


def report(summary: bool = True, step: object = None, **values: object) -> bytes:
    return line("report", values=values, step=step, summary=summary)


def parsed(data: bytes) -> dict[str, object]:
    found = parse(data)
    assert found is not None
    return found


def test_a_report_is_read() -> None:
    assert parsed(report(step=3, loss=0.5, lr="1e-3")) == {
        "k": "report",
        "t": 1000.5,
        "values": {"loss": 0.5, "lr": "1e-3"},
        "step": 3,
        "summary": True,
    }


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b'{"k": "report"}',
        b'{"k": "report", "t": "now", "values": {}}',
        b'{"k": "report", "t": NaN, "values": {}}',
        b'{"k": "report", "t": 1e300, "values": {}}',
        b'{"k": "report", "t": -1, "values": {}}',
        b'{"k": "report", "t": 1, "values": []}',
        b'{"k": ["report"], "t": 1}',
        b'{"k": "shutdown", "t": 1}',
        b'{"k": "phase", "t": 1, "phase": "party"}',
        b'{"k": "phase", "t": 1, "phase": {}}',
        b'{"k": "save", "t": 1, "name": 3, "dir": "x"}',
        b'{"k": "note", "t": 1}',
        b"[" * 100_000,
        b'{"k": "paused", "t": 1' + b" " * 2**18 + b"}",
        b'{"k": "report", "t": ' + b"9" * 5000 + b', "values": {}}',
        b'{"k": "report", "t": 1, "values": {"a": 1}',
    ],
)
def test_what_is_no_line_is_left_out(data: bytes) -> None:
    assert parse(data) is None


@given(st.fixed_dictionaries({"k": st.sampled_from(KINDS), "t": st.just(1.0)}, optional=FIELDS))
def test_whatever_the_fields_hold_the_line_is_refused_or_harmless(data: dict[str, object]) -> None:
    found = parse_object(data)
    if found is not None:
        written = json.dumps(found, allow_nan=False, ensure_ascii=False).encode()
        assert parse_object(json.loads(written)) == found


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    parse(data)


@pytest.mark.parametrize("value", [math.nan, math.inf, None, [1], {"a": 1}, 10**400])
def test_a_value_that_is_no_finite_number_and_no_text_is_dropped_alone(value: object) -> None:
    assert parsed(report(loss=value, accuracy=1))["values"] == {"accuracy": 1}


def test_names_and_texts_are_cut_to_size() -> None:
    values = {f"m{number}": 1 for number in range(1000)} | {"x" * 300: 1}
    kept = parsed(line("report", values=values))["values"]
    assert isinstance(kept, dict)
    assert len(kept) == MAX_NAMES
    assert parsed(report(text="y" * 5000))["values"] == {"text": "y" * 200}


def test_what_cannot_be_seen_is_marked() -> None:
    assert parsed(report(text="a\u202eb\x1b[2J"))["values"] == {"text": "a\ufffdb\ufffd[2J"}
    assert parsed(line("report", values={"a\x00": 1}))["values"] == {}


def test_an_error_is_read_with_its_frames() -> None:
    found = parsed(
        line(
            "error", phase="infer", type="KeyError", module="builtins", message="one\ntwo",
            frames=[["/app/main.py", 22, "infer"], ["x", -1, "f"], "no frame", ["/app/a.py", True, "f"]], organiser=False,
        )
    )  # fmt: skip
    assert found["frames"] == [["/app/main.py", 22, "infer"]]
    assert found["message"] == "one two"
    assert (found["phase"], found["type"], found["got"]) == ("infer", "KeyError", None)


def test_the_innermost_frames_are_kept() -> None:
    frames = [["/app/main.py", number, "f"] for number in range(1, 5000)]
    kept = parsed(line("error", phase="load", type="RecursionError", module="builtins", message="", frames=frames))
    assert kept["frames"] == frames[-101:]


def test_the_summary_holds_the_last_value_of_each_name_reported_for_it() -> None:
    summary: dict[str, float | int | str] = {}
    for data in (report(epoch=1, loss=0.5), report(summary=False, loss=0.1), report(epoch=2), line("paused")):
        summary = fold(summary, parsed(data))
    assert summary == {"epoch": 2, "loss": 0.5}


def test_the_summary_never_grows_beyond_its_limit_and_still_follows_its_names() -> None:
    summary: dict[str, float | int | str] = {}
    for start in range(0, 1000, 100):
        names = {f"m{number}": start for number in range(start, start + 100)}
        summary = fold(summary, parsed(line("report", values=names, summary=True)))
    assert len(summary) == MAX_NAMES
    assert fold(summary, parsed(report(m0=7, new=1)))["m0"] == 7
    assert "new" not in fold(summary, parsed(report(m0=7, new=1)))


def test_fold_leaves_what_it_was_given_alone() -> None:
    before: dict[str, float | int | str] = {"a": 1}
    fold(before, parsed(report(a=2)))
    assert before == {"a": 1}


def test_curves_have_columns_and_texts_have_none() -> None:
    lines = [parsed(report(step=step, loss=1 / step, note="text")) for step in (1, 2)]
    assert series(lines, 100) == {"loss": {"step": [1, 2], "value": [1.0, 0.5], "time": [1000.5, 1000.5]}}


def test_points_without_a_step_are_numbered() -> None:
    lines = [parsed(report(loss=value)) for value in (3, 2, 1)]
    assert series(lines, 100)["loss"]["step"] == [0, 1, 2]


def test_there_are_no_more_curves_than_a_page_can_show() -> None:
    lines = [parsed(report(**{f"m{start + number}": 1 for number in range(100)})) for start in range(0, 500, 100)]
    assert len(series(lines, 100)) == MAX_NAMES


@given(points, st.integers(0, 60))
def test_a_sample_is_short_in_order_and_keeps_its_extremes(every: list[Point], n: int) -> None:
    kept = sample(every, n)
    assert len(kept) <= max(4, n)
    steps = [point.step for point in kept]
    assert steps == sorted(set(steps))
    if every:
        assert (kept[0], kept[-1]) == (every[0], every[-1])
        assert min(point.value for point in kept) == min(point.value for point in every)
        assert max(point.value for point in kept) == max(point.value for point in every)


@given(points)
def test_what_fits_is_not_sampled(every: list[Point]) -> None:
    assert sample(iter(every), len(every)) == every
