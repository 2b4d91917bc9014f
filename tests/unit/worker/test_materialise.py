"""Trees become folders that share their bytes with the cache and cannot be led astray."""

import threading
from pathlib import Path

import pytest

from nsml_worker.contract import FileEntry, Tree
from nsml_worker.errors import BlobMismatch, UnsafePath
from nsml_worker.materialise import BlobCache, check_path, lay_out
from nsml_worker.memory_server import MemoryServer


@pytest.fixture
def server() -> MemoryServer:
    return MemoryServer()


@pytest.fixture
def cache(tmp_path: Path) -> BlobCache:
    return BlobCache(tmp_path / "cache")


def tree_of(server: MemoryServer, **files: bytes) -> Tree:
    return Tree(tuple(FileEntry(path, len(data), server.keep(data)) for path, data in sorted(files.items())))


def fetch(server: MemoryServer, cache: BlobCache, tree: Tree) -> None:
    cache.fetch(server.of_run(1, "", threading.Event()), cache.missing([tree]))


def test_a_read_only_folder_shares_its_bytes_with_the_cache(
    server: MemoryServer, cache: BlobCache, tmp_path: Path
) -> None:
    tree = tree_of(server, a=b"small", b=b"x" * 300_000)
    fetch(server, cache, tree)
    lay_out(tree, tmp_path / "view", cache)
    for entry in tree.files:
        assert (tmp_path / "view" / entry.path).samefile(cache.path(entry))
        assert (tmp_path / "view" / entry.path).stat().st_mode & 0o222 == 0


def test_a_writable_folder_is_a_copy(server: MemoryServer, cache: BlobCache, tmp_path: Path) -> None:
    tree = tree_of(server, a=b"code")
    fetch(server, cache, tree)
    lay_out(tree, tmp_path / "app", cache, writable=True)
    (tmp_path / "app" / "a").write_bytes(b"changed")
    assert cache.path(tree.files[0]).read_bytes() == b"code"


def test_what_is_here_is_not_fetched_again(server: MemoryServer, cache: BlobCache) -> None:
    tree = tree_of(server, a=b"1", b=b"1", c=b"2")
    assert len(cache.missing([tree, tree])) == 2
    fetch(server, cache, tree)
    assert cache.missing([tree]) == []


def test_a_blob_that_was_cut_off_is_fetched_again(server: MemoryServer, cache: BlobCache) -> None:
    tree = tree_of(server, a=b"whole")
    fetch(server, cache, tree)
    path = cache.path(tree.files[0])
    path.chmod(0o600)
    path.write_bytes(b"who")
    assert cache.missing([tree]) == list(tree.files)


@pytest.mark.parametrize("size", [5, 300_000])
def test_bytes_that_do_not_match_their_name_are_not_kept(server: MemoryServer, cache: BlobCache, size: int) -> None:
    tree = tree_of(server, a=b"x" * size)
    server.blobs[tree.files[0].hash] = b"y" * size
    with pytest.raises(BlobMismatch):
        fetch(server, cache, tree)
    assert cache.missing([tree]) == list(tree.files)


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "", ".", "a//b", "a/", "./a", "a\0b"])
def test_a_path_that_leaves_its_folder_is_refused(path: str) -> None:
    with pytest.raises(UnsafePath):
        check_path(path)


def test_a_path_that_is_file_and_folder_is_refused(server: MemoryServer, cache: BlobCache, tmp_path: Path) -> None:
    tree = Tree((FileEntry("a", 1, server.keep(b"1")), FileEntry("a/b", 1, server.keep(b"1"))))
    fetch(server, cache, tree)
    with pytest.raises(UnsafePath):
        lay_out(tree, tmp_path / "view", cache)
