"""Which files go up, and which are refused by name."""

import os
import socket
import stat
from pathlib import Path

import pytest
from blake3 import blake3

from nsmlctl.errors import CannotUpload
from nsmlctl.hashes import SETTLED, HashCache
from nsmlctl.ignore import read_rules
from nsmlctl.manifest import Manifest, hash_files, walk


def manifest_of(folder: Path, home: Path | None = None) -> Manifest:
    return hash_files(walk(folder, read_rules(folder)), HashCache(home or folder.parent / "home", folder))


def paths_of(folder: Path) -> list[str]:
    return [entry.path for entry in manifest_of(folder).entries]


def write(folder: Path, path: str, content: str = "x") -> Path:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return file


def test_files_go_up_sorted_by_path_with_hash_size_and_mode(folder: Path) -> None:
    write(folder, "sub/b.py", "bb")
    write(folder, "a.sh", "a").chmod(0o755)
    first, second = manifest_of(folder).entries
    assert (first.path, first.size, first.hash, first.mode) == ("a.sh", 1, blake3(b"a").hexdigest(), 0o755)
    assert (second.path, second.size) == ("sub/b.py", 2)


def test_what_tools_leave_behind_stays_here(folder: Path) -> None:
    for path in ("main.py", ".git/config", "__pycache__/main.pyc", ".venv/bin/python", "sub/.DS_Store"):
        write(folder, path)
    assert paths_of(folder) == ["main.py"]


def test_nsmlignore_speaks_the_language_of_gitignore(folder: Path) -> None:
    for path in ("main.py", "data/big.bin", "data/keep.txt", "notes.txt", "sub/notes.txt"):
        write(folder, path)
    write(folder, ".nsmlignore", "data/*\n!data/keep.txt\n/notes.txt\n")
    assert paths_of(folder) == [".nsmlignore", "data/keep.txt", "main.py", "sub/notes.txt"]


def test_the_mark_that_editors_of_windows_begin_with_is_no_part_of_the_first_pattern(folder: Path) -> None:
    write(folder, "data/big.bin")
    (folder / ".nsmlignore").write_bytes(b"\xef\xbb\xbfdata/\r\n*.tmp\r\n")
    write(folder, "left.tmp")
    assert paths_of(folder) == [".nsmlignore"]


def test_nsmlignore_can_take_a_default_back(folder: Path) -> None:
    write(folder, ".env", "A=1")
    write(folder, ".nsmlignore", "!.env")
    assert ".env" in paths_of(folder)


def test_an_ignored_folder_is_not_entered(folder: Path) -> None:
    write(folder, "data/file")
    os.mkfifo(folder / "data" / "pipe")
    write(folder, ".nsmlignore", "data/")
    assert paths_of(folder) == [".nsmlignore"]


def test_a_pattern_that_is_none_is_told(folder: Path) -> None:
    (folder / ".nsmlignore").write_bytes(b"\xff\xfe")
    with pytest.raises(CannotUpload, match="nsmlignore"):
        paths_of(folder)


def test_a_link_to_a_file_inside_goes_up_as_that_file(folder: Path) -> None:
    write(folder, "real.py", "real")
    (folder / "alias.py").symlink_to("real.py")
    assert {entry.path: entry.size for entry in manifest_of(folder).entries} == {"alias.py": 4, "real.py": 4}


@pytest.mark.parametrize("target", ["/etc/hostname", "../secret", "/", "../program-twin/secret"])
def test_a_link_out_of_the_folder_is_refused_by_name(folder: Path, target: str) -> None:
    write(folder.parent, "secret")
    write(folder.parent, "program-twin/secret")
    (folder / "link").symlink_to(target)
    with pytest.raises(CannotUpload, match="'link' is a link that leads out"):
        paths_of(folder)


def test_links_that_lead_nowhere_or_to_a_folder_are_refused(folder: Path) -> None:
    (folder / "dangling").symlink_to("nothing")
    with pytest.raises(CannotUpload, match="'dangling'"):
        paths_of(folder)
    (folder / "dangling").unlink()
    (folder / "circle").symlink_to("circle")
    with pytest.raises(CannotUpload, match="'circle'"):
        paths_of(folder)
    (folder / "circle").unlink()
    (folder / "up").symlink_to(".")
    with pytest.raises(CannotUpload, match="'up' is a link to a folder"):
        paths_of(folder)


def test_pipes_and_sockets_are_refused_by_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(CannotUpload, match="'pipe' is not a file but a pipe"):
        paths_of(folder)
    (folder / "pipe").unlink()
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("plug")
        with pytest.raises(CannotUpload, match="'plug' is not a file but a socket"):
            paths_of(folder)


@pytest.mark.parametrize("name", ["new\nline", "bell\x07", "\u202egpj.exe", "back\\slash", "esc\x1b[2J"])
def test_odd_names_are_refused_and_shown_harmlessly(folder: Path, name: str) -> None:
    write(folder, name)
    with pytest.raises(CannotUpload) as caught:
        paths_of(folder)
    assert str(caught.value).isprintable()


def test_a_name_that_is_not_utf8_is_refused(folder: Path) -> None:
    (Path(os.fsdecode(os.fsencode(folder) + b"/\xff"))).write_text("x")
    with pytest.raises(CannotUpload, match="not UTF-8"):
        paths_of(folder)


def test_korean_names_go_up(folder: Path) -> None:
    write(folder, "자료/낱말.txt")
    assert paths_of(folder) == ["자료/낱말.txt"]


def test_an_unreadable_file_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, "secret")

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(CannotUpload, match="'secret' cannot be read: Permission denied"):
        paths_of(folder)


class TestHashCache:
    def test_an_unchanged_file_is_not_read_again(self, folder: Path, tmp_path: Path) -> None:
        file = write(folder, "main.py")
        os.utime(file, (1, 1))
        cache = HashCache(tmp_path, folder)
        hash_files(walk(folder, read_rules(folder)), cache)
        cache.save()
        assert HashCache(tmp_path, folder).get("main.py", file.stat()) == blake3(b"x").hexdigest()

    @pytest.mark.parametrize("change", ["content", "time", "inode"])
    def test_whatever_changes_it_is_read_again(self, folder: Path, tmp_path: Path, change: str) -> None:
        file = write(folder, "main.py")
        os.utime(file, (1, 1))
        cache = HashCache(tmp_path, folder)
        cache.put("main.py", file.stat(), "known")
        cache.save()
        if change == "inode":
            write(folder, "other.py").replace(file)
        elif change == "content":
            file.write_text("xx")
        os.utime(file, (2, 2) if change == "time" else (1, 1))
        assert HashCache(tmp_path, folder).get("main.py", file.stat()) is None

    def test_a_file_written_a_moment_ago_is_not_trusted(self, folder: Path, tmp_path: Path) -> None:
        status = write(folder, "main.py").stat()
        for age, known in ((SETTLED - 1, None), (SETTLED + 1, "hash")):
            cache = HashCache(tmp_path, folder, now=lambda age=age: status.st_mtime_ns + age)
            cache.put("main.py", status, "hash")
            cache.save()
            assert HashCache(tmp_path, folder).get("main.py", status) == known

    @pytest.mark.parametrize("content", ["", "[]", '{"main.py": 3}', '{"main.py": [1, 2, 3]}', "null"])
    def test_a_broken_cache_is_an_empty_one(self, folder: Path, tmp_path: Path, content: str) -> None:
        file = write(folder, "main.py")
        os.utime(file, (1, 1))
        cache = HashCache(tmp_path, folder)
        cache.put("main.py", file.stat(), "known")
        cache.save()
        (kept,) = (tmp_path / "hashes").iterdir()
        kept.write_text(content)
        assert HashCache(tmp_path, folder).get("main.py", file.stat()) is None

    def test_only_the_owner_can_look_into_it(self, folder: Path, tmp_path: Path) -> None:
        file = write(folder, "main.py")
        os.utime(file, (1, 1))
        cache = HashCache(tmp_path / "home", folder)
        cache.put("main.py", file.stat(), "known")
        cache.save()
        assert stat.S_IMODE((tmp_path / "home" / "hashes").stat().st_mode) == 0o700
