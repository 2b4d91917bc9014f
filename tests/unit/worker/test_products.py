"""What a program left beside its code: which of it is kept, and what is said of the rest."""

import os
from pathlib import Path

import pytest
from blake3 import blake3

from nsml_worker import products
from nsml_worker.contract import FileEntry, Tree
from nsml_worker.errors import ServerRefused
from nsml_worker.memory_server import MemoryRun, MemoryServer
from nsml_worker.products import collect_products, find_products


def entry_of(path: str, content: bytes) -> FileEntry:
    return FileEntry(path, len(content), blake3(content).hexdigest())


def write(app: Path, files: dict[str, bytes]) -> None:
    for path, content in files.items():
        (app / path).parent.mkdir(parents=True, exist_ok=True)
        (app / path).write_bytes(content)


def test_what_is_new_or_changed_is_kept_and_what_was_uploaded_is_not(tmp_path: Path) -> None:
    code = Tree((entry_of("main.py", b"code"), entry_of("best.txt", b"0.5"), entry_of("gone.txt", b"x")))
    write(tmp_path, {"main.py": b"code", "best.txt": b"0.9", "결과/예측.csv": b"1\n", "__pycache__/main.pyc": b"c"})
    found = find_products(tmp_path, code)
    assert found.files == [entry_of("best.txt", b"0.9"), entry_of("결과/예측.csv", b"1\n")]
    assert found.left_out == {}


def test_links_devices_and_names_that_nobody_can_keep_are_named_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    app = tmp_path / "app"
    write(outside, {"secret": b"s"})
    write(app, {"good": b"g", "a\\b": b"x", "two\nlines": b"x", "Good": b"x"})
    (app / "file").symlink_to(outside / "secret")
    (app / "folder").symlink_to(outside)
    os.mkfifo(app / "pipe")
    os.close(os.open(os.fsencode(app) + b"/\xff", os.O_CREAT))
    found = find_products(app, Tree())
    assert {entry.path for entry in found.files} == {"Good"}
    assert set(found.left_out) == {"a\\b", "two\nlines", "good", "file", "folder", "pipe", "\\udcff"}
    assert found.left_out["file"] == found.left_out["folder"] == "it is a link"


def test_one_name_that_some_disk_cannot_hold_costs_no_other_file(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "Out/a": b"a",
            "out/b": b"b",
            "aux.txt": b"x",
            "run/con": b"x",
            "auxiliary": b"y",
            "come.txt": b"w",
            "com1": b"x",
            "C:x": b"z",
        },
    )
    found = find_products(tmp_path, Tree())
    assert {entry.path for entry in found.files} == {"Out/a", "auxiliary", "come.txt"}
    assert set(found.left_out) == {"out/b", "aux.txt", "com1", "run/con", "C:x"}


def test_a_folder_put_in_the_place_of_the_code_is_not_entered(tmp_path: Path) -> None:
    write(tmp_path / "outside", {"secret": b"s"})
    (tmp_path / "app").symlink_to(tmp_path / "outside")
    found = find_products(tmp_path / "app", Tree())
    assert found.files == []
    assert list(found.left_out) == ["/app"]


def test_count_bytes_and_depth_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "MAX_FILES", 2)
    monkeypatch.setattr(products, "MAX_BYTES", 2**20)
    write(tmp_path, {"a": b"a", "c": b"c", "d": b"d", "/".join([*"x" * 40, "deep"]): b"x"})
    with (tmp_path / "b").open("wb") as sparse:
        sparse.truncate(2**40)
    found = find_products(tmp_path, Tree())
    assert [entry.path for entry in found.files] == ["a", "c"]
    assert found.left_out["b"] == "the files hold more than 1 MiB"
    assert found.left_out["d"] == "there are more than 2 files"
    assert "it lies too deep" in found.left_out.values()


def test_bytes_are_with_the_server_before_they_are_told_of(tmp_path: Path) -> None:
    write(tmp_path, {"out.csv": b"1\n"})
    memory = MemoryServer()
    found = collect_products(tmp_path, Tree(), MemoryRun(memory, 1, "token"))
    assert [memory.blobs[entry.hash] for entry in found.files] == [b"1\n"]
    assert found.to_dict() == {"tree": Tree((entry_of("out.csv", b"1\n"),)).to_dict(), "left_out": []}


def test_files_that_the_server_does_not_take_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ServerRefused("too large")

    monkeypatch.setattr(products, "upload", refuse)
    write(tmp_path, {"out.csv": b"1\n"})
    found = collect_products(tmp_path, Tree(), MemoryRun(MemoryServer(), 1, "token"))
    assert (found.files, found.left_out) == ([], {"out.csv": "it could not be stored"})
