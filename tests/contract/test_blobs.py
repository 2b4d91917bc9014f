"""What every store of blobs does: one class of tests, run on the folder and on memory."""

import io
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from blake3 import blake3

from nsml_server.errors import BlobMissing, HashMismatch, Invalid, TooLarge
from nsml_server.storage import receivers
from nsml_server.storage.blobs import ABANDONED, BlobStore, FolderBlobStore, MemoryBlobStore
from nsml_server.storage.packs import encode

ABSENT = "0f" * 32


def name_of(data: bytes) -> str:
    return blake3(data).hexdigest()


def pack_of(*contents: bytes) -> bytes:
    return encode([(name_of(data), data) for data in contents])


def read(store: BlobStore, name: str) -> bytes:
    with store.open(name) as file:
        return file.read()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, folder: Path) -> Iterator[BlobStore]:
    if request.param == "memory":
        yield MemoryBlobStore()
        return
    made = FolderBlobStore(folder)
    yield made
    made.close()


def visible(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("packs.sqlite")]


class TestBlobStore:
    """The contract."""

    @pytest.mark.parametrize("data", [b"", b"hello", os.urandom(3 * receivers.CHUNK + 17)], ids=len)
    def test_what_is_put_is_what_is_read(self, store: BlobStore, data: bytes) -> None:
        name = name_of(data)
        assert store.put(io.BytesIO(data), name) == len(data)
        assert read(store, name) == data
        assert store.size(name) == len(data)
        assert store.has([name, ABSENT]) == {name}

    def test_bytes_that_are_not_those_announced_leave_nothing(self, store: BlobStore) -> None:
        with pytest.raises(HashMismatch):
            store.put(io.BytesIO(b"forged"), name_of(b"true"))
        assert store.has([name_of(b"true"), name_of(b"forged")]) == set()

    def test_knowing_a_hash_is_no_proof_of_having_the_bytes(self, store: BlobStore) -> None:
        store.put(io.BytesIO(b"mine"), name_of(b"mine"))
        with pytest.raises(HashMismatch):
            store.put(io.BytesIO(b"not mine"), name_of(b"mine"))
        assert read(store, name_of(b"mine")) == b"mine"

    def test_the_same_bytes_twice_are_stored_once(self, store: BlobStore) -> None:
        for _ in range(2):
            assert store.put(io.BytesIO(b"same"), name_of(b"same")) == 4
        assert read(store, name_of(b"same")) == b"same"

    def test_more_than_the_limit_leaves_nothing(self, store: BlobStore) -> None:
        with pytest.raises(TooLarge):
            store.put(io.BytesIO(b"12345"), name_of(b"12345"), max_bytes=4)
        assert store.has([name_of(b"12345")]) == set()
        assert store.put(io.BytesIO(b"1234"), name_of(b"1234"), max_bytes=4) == 4

    def test_an_upload_that_is_cut_off_leaves_nothing(self, store: BlobStore) -> None:
        with store.receive(name_of(b"whole")) as receiver:
            receiver.write(b"who")
            assert store.has([name_of(b"whole")]) == set()
        assert store.has([name_of(b"whole")]) == set()

    def test_a_blob_arrives_piece_by_piece(self, store: BlobStore) -> None:
        with store.receive(name_of(b"whole")) as receiver:
            for piece in (b"w", b"", b"hol", b"e"):
                receiver.write(piece)
            assert receiver.finish() == 5
        assert read(store, name_of(b"whole")) == b"whole"

    def test_a_blob_that_is_not_here_is_told_by_its_hash(self, store: BlobStore) -> None:
        for ask in (store.open, store.size):
            with pytest.raises(BlobMissing, match=ABSENT[:12]):
                ask(ABSENT)

    @pytest.mark.parametrize("name", ["", "../../etc/passwd", "0F" * 32, "0f" * 31])
    def test_a_name_that_is_no_hash_reaches_no_disk(self, store: BlobStore, name: str) -> None:
        for ask in (store.open, store.size, store.receive):
            with pytest.raises(Invalid):
                ask(name)
        assert store.has([name]) == set()

    def test_the_files_of_a_pack_are_blobs_like_others(self, store: BlobStore) -> None:
        contents = [b"one", b"", b"three"]
        assert store.put_pack(pack_of(*contents)) == [(name_of(data), len(data)) for data in contents]
        assert [read(store, name_of(data)) for data in contents] == contents
        assert [store.size(name_of(data)) for data in contents] == [3, 0, 5]
        assert store.has(name_of(data) for data in contents) == {name_of(data) for data in contents}

    def test_one_forged_file_refuses_the_whole_pack(self, store: BlobStore) -> None:
        with pytest.raises(HashMismatch):
            store.put_pack(encode([(name_of(b"good"), b"good"), (ABSENT, b"bad")]))
        assert store.has([name_of(b"good"), ABSENT]) == set()

    def test_packs_may_share_files_with_each_other_and_with_whole_blobs(self, store: BlobStore) -> None:
        store.put(io.BytesIO(b"a"), name_of(b"a"))
        store.put_pack(pack_of(b"a", b"b"))
        store.put_pack(pack_of(b"b", b"c"))
        store.put_pack(pack_of(b"b", b"c"))
        store.put(io.BytesIO(b"c"), name_of(b"c"))
        assert [read(store, name_of(data)) for data in (b"a", b"b", b"c")] == [b"a", b"b", b"c"]

    def test_many_may_put_the_same_at_once(self, store: BlobStore) -> None:
        contents = [bytes([number % 5]) * 1000 for number in range(40)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda data: store.put(io.BytesIO(data), name_of(data)), contents))
            list(pool.map(lambda data: store.put_pack(pack_of(data, b"x" + data)), contents))
        assert all(read(store, name_of(data)) == data for data in contents)
        assert all(read(store, name_of(b"x" + data)) == b"x" + data for data in contents)


class TestFolder:
    """What only a disk can do, or fail to."""

    def test_a_restart_finds_everything(self, folder: Path) -> None:
        before = FolderBlobStore(folder)
        before.put(io.BytesIO(b"whole"), name_of(b"whole"))
        before.put_pack(pack_of(b"small", b"tiny"))
        before.close()
        after = FolderBlobStore(folder)
        assert [read(after, name_of(data)) for data in (b"whole", b"small", b"tiny")] == [b"whole", b"small", b"tiny"]
        after.close()

    def test_an_index_that_was_lost_is_made_anew(self, folder: Path) -> None:
        before = FolderBlobStore(folder)
        before.put_pack(pack_of(b"small", b"tiny"))
        before.close()
        for path in folder.glob("packs.sqlite*"):
            path.unlink()
        after = FolderBlobStore(folder)
        assert read(after, name_of(b"tiny")) == b"tiny"
        after.close()

    def test_two_thousand_small_files_cost_a_few_flushes(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        store = FolderBlobStore(folder)
        flushed: list[int] = []
        monkeypatch.setattr(os, "fsync", flushed.append)
        contents = [b"file %d" % number for number in range(2000)]
        for start in (0, 1000):
            store.put_pack(pack_of(*contents[start : start + 1000]))
        assert len(flushed) <= 4
        assert len(visible(folder)) == 2
        assert read(store, name_of(contents[1234])) == contents[1234]
        store.close()

    def test_a_pack_of_known_files_writes_nothing(self, folder: Path) -> None:
        store = FolderBlobStore(folder)
        store.put_pack(pack_of(b"a", b"b"))
        before = visible(folder)
        store.put_pack(pack_of(b"b", b"a"))
        assert visible(folder) == before
        store.close()

    def test_a_vocabulary_saved_with_each_checkpoint_rests_once(self, folder: Path) -> None:
        store = FolderBlobStore(folder)
        vocabulary = os.urandom(100_000)
        for epoch in range(20):
            store.put_pack(pack_of(vocabulary, b"weights %d" % epoch))
        assert sum(path.stat().st_size for path in visible(folder)) < 2 * len(vocabulary)
        store.close()

    def test_a_disk_that_fills_up_leaves_nothing(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        store = FolderBlobStore(folder)

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            store.put(io.BytesIO(b"data"), name_of(b"data"))
        with pytest.raises(OSError, match="No space"):
            store.put_pack(pack_of(b"small"))
        monkeypatch.undo()
        assert visible(folder) == []
        assert store.has([name_of(b"data"), name_of(b"small")]) == set()
        store.close()

    def test_what_a_power_cut_left_half_written_is_removed_after_a_day(self, folder: Path) -> None:
        FolderBlobStore(folder).close()
        old, young = folder / "arriving/old", folder / "arriving/young"
        for path in (old, young):
            path.write_bytes(b"half")
        os.utime(old, (0, young.stat().st_mtime - ABANDONED - 60))
        FolderBlobStore(folder).close()
        assert not old.exists()
        assert young.exists()
