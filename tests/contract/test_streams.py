"""What every store of streams does: one class of tests, run on the folder and on memory."""

import fcntl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsml_server.errors import Invalid, StreamGap
from nsml_server.storage.streams import FolderStreamStore, MemoryStreamStore, StreamStore


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> StreamStore:
    return MemoryStreamStore() if request.param == "memory" else FolderStreamStore(tmp_path / "streams")


def whole(store: StreamStore, run_id: int = 1, name: str = "log") -> bytes:
    return store.read(run_id, name, 0, 10**6)


class TestStreamStore:
    """The contract."""

    def test_bytes_are_read_where_they_were_appended(self, store: StreamStore) -> None:
        assert store.append(1, "log", 0, b"hello ") == 6
        assert store.append(1, "log", 6, b"world") == 11
        assert store.read(1, "log", 4, 3) == b"o w"
        assert store.size(1, "log") == 11

    def test_the_same_bytes_twice_land_once(self, store: StreamStore) -> None:
        for _ in range(2):
            assert store.append(1, "log", 0, b"hello") == 5
        assert whole(store) == b"hello"

    def test_what_is_there_already_is_skipped(self, store: StreamStore) -> None:
        store.append(1, "log", 0, b"hello")
        assert store.append(1, "log", 3, b"lo world") == 11
        assert store.append(1, "log", 2, b"l") == 11
        assert whole(store) == b"hello world"

    def test_a_hole_is_refused_and_told_where_to_go_on(self, store: StreamStore) -> None:
        store.append(1, "log", 0, b"hello")
        with pytest.raises(StreamGap) as refused:
            store.append(1, "log", 6, b"x")
        assert refused.value.size == 5
        assert whole(store) == b"hello"

    def test_a_stream_never_written_is_empty(self, store: StreamStore) -> None:
        assert (whole(store), store.size(1, "log")) == (b"", 0)
        with pytest.raises(StreamGap):
            store.append(1, "log", 1, b"x")
        assert (whole(store), store.size(1, "log")) == (b"", 0)

    def test_nothing_is_read_beyond_the_end(self, store: StreamStore) -> None:
        store.append(1, "log", 0, b"hello")
        assert store.read(1, "log", 5, 10) == b""
        assert store.read(1, "log", 99, 10) == b""
        assert store.read(1, "log", 0, 0) == b""
        assert store.read(1, "log", 0, -1) == b""
        assert store.read(1, "log", -3, 2) == b"he"

    def test_runs_and_names_are_kept_apart(self, store: StreamStore) -> None:
        store.append(1, "log", 0, b"a")
        store.append(1, "events", 0, b"bb")
        store.append(2, "log", 0, b"ccc")
        assert [store.size(1, "log"), store.size(1, "events"), store.size(2, "log")] == [1, 2, 3]

    def test_a_run_that_is_removed_leaves_the_others(self, store: StreamStore) -> None:
        store.append(1, "log", 0, b"a")
        store.append(11, "log", 0, b"b")
        store.remove(1)
        store.remove(1)
        assert (whole(store, 1), whole(store, 11)) == (b"", b"b")
        assert store.append(1, "log", 0, b"new") == 3

    @pytest.mark.parametrize("name", ["", "../2/log", "log/x", "Log", "log\n", ".."])
    def test_a_name_that_is_none_is_refused(self, store: StreamStore, name: str) -> None:
        for ask in (lambda: store.append(1, name, 0, b"x"), lambda: store.size(1, name), lambda: whole(store, 1, name)):
            with pytest.raises(Invalid):
                ask()

    def test_a_negative_offset_is_refused(self, store: StreamStore) -> None:
        with pytest.raises(Invalid):
            store.append(1, "log", -1, b"x")

    def test_settling_changes_nothing_that_can_be_read(self, store: StreamStore) -> None:
        store.settle(1)
        store.append(1, "log", 0, b"a")
        store.settle(1)
        assert whole(store) == b"a"

    def test_senders_that_race_leave_no_hole_and_no_double(self, store: StreamStore) -> None:
        text = bytes(range(256)) * 8

        def send(number: int) -> None:
            at = 0
            while at < len(text):
                at = max(at, store.append(1, "log", at, text[at : at + 37 + number]))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(send, range(8)))
        assert whole(store) == text

    def test_what_is_written_is_seen_by_one_who_opens_the_folder_later(self, tmp_path: Path) -> None:
        FolderStreamStore(tmp_path).append(1, "log", 0, b"kept")
        assert whole(FolderStreamStore(tmp_path)) == b"kept"


def test_another_process_that_was_first_at_the_lock_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStreamStore(tmp_path)
    locked: list[int] = []

    def wait_for_the_other(_: int, how: int) -> None:
        locked.append(how)
        (tmp_path / "1/log").write_bytes(b"hello")

    monkeypatch.setattr(fcntl, "flock", wait_for_the_other)
    assert store.append(1, "log", 0, b"hello world") == 11
    assert whole(store) == b"hello world"
    assert locked == [fcntl.LOCK_EX]


@given(st.binary(max_size=60), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=30))
def test_any_pieces_of_a_text_sent_in_any_order_give_a_beginning_of_it(
    text: bytes, pieces: list[tuple[int, int]]
) -> None:
    store = MemoryStreamStore()
    for offset, length in pieces:
        before = store.size(1, "log")
        with suppress(StreamGap):
            assert store.append(1, "log", offset, text[offset : offset + length]) == store.size(1, "log")
        reaches = min(offset + length, len(text))
        assert store.size(1, "log") == (max(before, reaches) if offset <= before else before)
        assert text.startswith(whole(store))
