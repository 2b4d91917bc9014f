"""Lines of a journal and facts on disk."""

import errno
import json
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsml_worker import packs
from nsml_worker.contract import EventKind, FileEntry, RunKind, RunSpec
from nsml_worker.errors import BlobMismatch, StreamGap
from nsml_worker.event_log import EventLog, read_events
from nsml_worker.fields import read_fields, write_fields
from nsml_worker.journal import JournalReader, parse_line
from nsml_worker.memory_server import MemoryServer
from nsml_worker.plain_json import make_plain
from nsml_worker.streaming import StreamSender


class Pages:
    """A file that grows, read as a Watch is."""

    def __init__(self, *parts: bytes) -> None:
        self.data = b"".join(parts)

    def read(self, name: str, position: int, limit: int) -> bytes:
        return self.data[position : position + limit]


def save(name: str) -> bytes:
    return json.dumps({"k": "save", "t": 1, "name": name, "dir": name}).encode() + b"\n"


def test_a_line_counts_when_it_is_whole_and_then_once() -> None:
    pages: Any = Pages(save("1"), save("2")[:10])
    reader = JournalReader(pages)
    assert [line["name"] for line in reader.read()] == ["1"]
    pages.data += save("2")[10:]
    assert [line["name"] for line in reader.read()] == ["2"]
    assert list(reader.read()) == []


def test_a_line_that_never_ends_is_not_kept() -> None:
    pages: Any = Pages(b'{"k": "save", "x": "' + b"a" * 3_000_000, b'"}\n', save("3"))
    assert [line["name"] for line in JournalReader(pages).read()] == ["3"]


@given(st.binary())
def test_no_line_breaks_the_reader(line: bytes) -> None:
    for text in (line, b'"save"' + line, b"[" * 5000 + b'"save"'):
        parse_line(text)


@pytest.mark.parametrize("line", [b'["save"]', b'"save"', b'{"k": "report", "x": "save"}', b'{"k": ["save"]}', b"{"])
def test_a_line_of_another_shape_asks_for_nothing(line: bytes) -> None:
    assert parse_line(line) is None


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "1e999", "9" * 400, "[" * 5000])
def test_a_line_that_could_not_be_told_further_is_none(value: str) -> None:
    assert parse_line(b'{"k": "error", "x": ' + value.encode() + b"}") is None


def test_half_a_character_does_not_cost_the_line_it_is_in() -> None:
    assert parse_line(rb'{"k": "error", "message": "no \udced.txt \ud83d\ude00"}') == {
        "k": "error",
        "message": "no ?.txt \N{GRINNING FACE}",
    }


@given(st.text(st.sampled_from("\\\0u0a"), max_size=20))
def test_a_nul_is_mended_wherever_it_stands_and_nothing_else(text: str) -> None:
    assert make_plain({text: [text]}) == {text.replace("\0", "?"): [text.replace("\0", "?")]}


def placed(server: MemoryServer, **more: Any) -> Any:
    spec = RunSpec(1, 1, RunKind.TRAIN, "u/d/1", "default", ("python",), (), **more)
    server.offer(spec, "t")
    return server.of_run(1, "t", threading.Event())


def test_a_fact_told_again_by_a_later_worker_lands_once(tmp_path: Path) -> None:
    server = MemoryServer()
    api = placed(server)
    EventLog(tmp_path / "events", 1, api).tell(EventKind.STARTED)
    with (tmp_path / "events").open("a") as file:
        file.write('{"seq": 2, "kind": "pau')  # the worker was killed here
    later = EventLog(tmp_path / "events", 1, api)
    later.tell(EventKind.PAUSED)
    told = next(iter(server.events.values()))
    assert [(event.seq, event.kind) for event in told] == [(1, EventKind.STARTED), (2, EventKind.PAUSED)]
    assert read_events(tmp_path / "events") == told


def test_more_facts_than_one_request_takes_are_told_in_several(tmp_path: Path) -> None:
    server = MemoryServer()
    api = placed(server)
    earlier = EventLog(tmp_path / "events", 1, api)
    for number in range(1200):
        earlier.note(EventKind.PREPARING, {"text": str(number)})
    EventLog(tmp_path / "events", 1, api).tell(EventKind.ENDED)
    told = next(iter(server.events.values()))
    assert [event.seq for event in told] == list(range(1, 1202))
    assert told[-1].kind is EventKind.ENDED


def test_large_facts_travel_in_several_requests_and_each_in_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nsml_worker.event_log.MAX_BYTES", 100)
    server, sizes = MemoryServer(), list[int]()
    api = placed(server)
    monkeypatch.setattr(server, "notice", lambda: sizes.append(sum(map(len, server.events.values()))))
    events = EventLog(tmp_path / "events", 1, api)
    for size in (40, 40, 400, 40):
        events.note(EventKind.PREPARING, {"text": "x" * size})
    events.tell()
    assert sizes == [1, 2, 3, 4]


def test_a_server_that_was_set_back_is_told_again(tmp_path: Path) -> None:
    server = MemoryServer()
    events = EventLog(tmp_path / "events", 1, placed(server))
    events.tell(EventKind.STARTED)
    events.tell(EventKind.PAUSED)
    del next(iter(server.events.values()))[1:]
    events.tell(EventKind.ENDED)
    told = next(iter(server.events.values()))
    assert [event.kind for event in told] == [EventKind.STARTED, EventKind.PAUSED, EventKind.ENDED]


def test_a_fact_that_cannot_be_told_is_not_kept(tmp_path: Path) -> None:
    server = MemoryServer()
    events = EventLog(tmp_path / "events", 1, placed(server))
    with pytest.raises(ValueError, match="JSON compliant"):
        events.note(EventKind.ENDED, {"error": {"t": float("nan")}})
    events.tell(EventKind.ENDED, {"detail": "\udced"})
    assert next(iter(server.events.values()))[0].data == {"detail": "?"}


def test_a_fact_for_which_the_disk_has_no_room_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = MemoryServer()
    events = EventLog(tmp_path / "events", 1, placed(server))
    events.note(EventKind.STARTED)
    with monkeypatch.context() as full:
        full.setattr("os.fdatasync", fail_for_room)
        with pytest.raises(OSError, match="No space"):
            events.note(EventKind.PAUSED)
    events.tell(EventKind.ENDED)
    assert [event.kind for event in read_events(tmp_path / "events")] == [EventKind.STARTED, EventKind.ENDED]


def fail_for_room(_: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_stream_goes_on_where_the_servers_copy_ends() -> None:
    server = MemoryServer()
    api = placed(server, log_base=3)
    server.streams[1, "log"] = bytearray(b"oldhel")
    StreamSender(api, Pages(b"hello"), "log", 3, "log").pump()  # type: ignore[arg-type]
    assert server.stream(1, "log") == b"oldhello"


def test_a_stream_goes_back_when_the_server_lost_its_tail() -> None:
    server = MemoryServer()
    api = placed(server)
    pages = Pages(b"hello")
    sender = StreamSender(api, pages, "log", 0, "log")  # type: ignore[arg-type]
    sender.pump()
    server.streams[1, "log"] = bytearray(b"he")
    pages.data += b" you"
    sender.pump()
    assert server.stream(1, "log") == b"hello you"


def test_bytes_of_an_earlier_attempt_that_are_lost_cannot_be_made_up() -> None:
    server = MemoryServer()
    with pytest.raises(StreamGap):
        StreamSender(placed(server, log_base=10), Pages(b"hello"), "log", 10, "log").pump()  # type: ignore[arg-type]


def test_a_stream_ends_at_its_cap() -> None:
    server = MemoryServer()
    StreamSender(placed(server), Pages(b"hello"), "log", 0, "log", cap=3).pump()  # type: ignore[arg-type]
    assert server.stream(1, "log") == b"hel"


@given(st.lists(st.tuples(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), st.text())))
def test_fields_come_back_as_they_were_written(fields: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_fields(f"{folder}/plan", fields)
        assert read_fields(f"{folder}/plan") == fields


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_a_pack_holds_what_was_put_in(contents: list[bytes]) -> None:
    server = MemoryServer()
    blobs = [(server.keep(data), data) for data in contents]
    assert list(packs.decode(packs.encode(blobs))) == blobs


def test_a_pack_that_was_cut_off_is_refused() -> None:
    server = MemoryServer()
    with pytest.raises(BlobMismatch):
        list(packs.decode(packs.encode([(server.keep(b"data"), b"data")])[:-1]))


def test_small_files_share_packs_and_large_ones_travel_alone() -> None:
    entries = [FileEntry(str(n), size, str(n)) for n, size in enumerate([10] * 1500 + [packs.SMALL + 1])]
    batches, singles = packs.split(entries)
    assert [len(batch) for batch in batches] == [1000, 500]
    assert [entry.size for entry in singles] == [packs.SMALL + 1]
    large, _ = packs.split([FileEntry("x", packs.SMALL, "0")] * 40)
    assert [len(batch) for batch in large] == [32, 8]
