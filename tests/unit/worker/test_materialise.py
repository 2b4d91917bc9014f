"""Trees become folders that share their bytes with the cache and cannot be led astray."""

import os
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


def test_what_is_used_least_goes_when_the_budget_is_passed(server: MemoryServer, tmp_path: Path) -> None:
    cache = BlobCache(tmp_path / "cache", budget=2000)
    trees = [tree_of(server, file=bytes([number]) * 500) for number in range(5)]
    for number, tree in enumerate(trees[:4]):
        fetch(server, cache, tree)
        use_at(cache, tree, number)
    use_at(cache, trees[0], 9)
    bring(server, cache, trees[4])
    assert [bool(cache.missing([tree])) for tree in trees] == [False, True, True, False, False]


def test_what_a_box_has_been_given_stays_whatever_the_budget(server: MemoryServer, tmp_path: Path) -> None:
    cache = BlobCache(tmp_path / "cache", budget=100)
    tree = tree_of(server, a=b"x" * 500)
    bring(server, cache, tree, tmp_path / "view")
    bring(server, cache, tree_of(server, b=b"y" * 500))
    assert cache.missing([tree]) == []
    assert cache.path(tree.files[0]).samefile(tmp_path / "view" / "a")


def test_what_is_about_to_be_laid_out_stays_though_another_box_finds_the_budget_passed(
    server: MemoryServer, tmp_path: Path
) -> None:
    cache = BlobCache(tmp_path / "cache", budget=100)
    tree = tree_of(server, a=b"x" * 500)
    with cache.holding([tree]) as missing:
        cache.fetch(server.of_run(1, "", threading.Event()), missing)
        bring(server, cache, tree_of(server, b=b"y" * 500))
        lay_out(tree, tmp_path / "view", cache, writable=True)
    assert cache.missing([tree]) == list(tree.files), "and afterwards it goes"


def test_what_an_earlier_worker_did_not_finish_goes(server: MemoryServer, tmp_path: Path) -> None:
    first = BlobCache(tmp_path / "cache")
    tree = tree_of(server, a=b"whole")
    fetch(server, first, tree)
    unfinished = first.path(tree.files[0]).with_name(".0123456789abcdef")
    unfinished.write_bytes(b"who")
    assert BlobCache(tmp_path / "cache").missing([tree]) == []
    assert not unfinished.exists()


def bring(server: MemoryServer, cache: BlobCache, tree: Tree, folder: Path | None = None) -> None:
    """As a box is given its files; a copy where no folder is named."""
    with cache.holding([tree]) as missing:
        cache.fetch(server.of_run(1, "", threading.Event()), missing)
        if folder is not None:
            lay_out(tree, folder, cache)


def use_at(cache: BlobCache, tree: Tree, second: int) -> None:
    os.utime(cache.path(tree.files[0]), (second, second))
