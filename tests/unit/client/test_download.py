"""`download`: what a program wrote comes home, checked, and is written nowhere else."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from nsmlctl.transport import Response

Run = Callable[..., Any]
FILES = "/sessions/kim/kin/1/files"
CODE = "/sessions/kim/kin/1/code"
WRITTEN = {"result.csv": b"a,b\n1,2\n", "plots/loss.png": b"\x89PNG", "plots/accuracy.png": b"\x89PNG2"}


def with_hash(content: bytes, digest: str | None = None) -> Callable[[Any], Response]:
    """A file as the platform sends it: its hash is its ETag."""
    return lambda _: Response(200, {"etag": f'"{digest or blake3(content).hexdigest()}"'}, iter((content,)))


@pytest.fixture(autouse=True)
def a_session_that_wrote_files(platform: Any, session: Any) -> None:
    platform.on("GET", "/sessions/kim/kin/1", session(final=True, state="exited"))
    platform.on("GET", FILES, {"files": [[path, len(data)] for path, data in WRITTEN.items()], "left_out": []})
    for path, data in WRITTEN.items():
        platform.on("GET", f"{FILES}/{path}", with_hash(data))
    source = {"path": "lib/net.py", "size": 3, "hash": blake3(b"net").hexdigest(), "mode": 0o644}
    platform.on("GET", CODE, {"files": [source]})
    platform.on("GET", f"{CODE}/lib/net.py", b"net")


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_all_that_a_program_wrote_comes_home(nsmlctl: Run, folder: Path) -> None:
    outcome = nsmlctl("download", "kim/kin/1", "out")
    assert outcome.code == 0
    assert names(folder / "out") == sorted(WRITTEN)
    assert (folder / "out/result.csv").read_bytes() == WRITTEN["result.csv"]


def test_without_a_path_the_folder_is_named_after_the_session(nsmlctl: Run, folder: Path) -> None:
    assert "3 files are in kin-1" in nsmlctl("download", "kim/kin/1").out
    assert names(folder / "kin-1") == sorted(WRITTEN)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-s", "/app/result.csv"], ["result.csv"]),
        (["-s", "result.csv", "-s", "plots/*"], sorted(WRITTEN)),
        (["-s", "/app/lib/net.py"], ["lib/net.py"]),
        (["-s", "/app/plots"], ["plots/accuracy.png", "plots/loss.png"]),
        (["-s", "./plots/"], ["plots/accuracy.png", "plots/loss.png"]),
        (["-s", "/app"], sorted([*WRITTEN, "lib/net.py"])),
        (["-s", "/app/"], sorted([*WRITTEN, "lib/net.py"])),
    ],
)
def test_files_and_folders_are_named_as_in_the_box(
    nsmlctl: Run, folder: Path, words: list[str], expected: list[str]
) -> None:
    assert nsmlctl("download", *words, "kim/kin/1", "out").code == 0
    assert names(folder / "out") == expected


@pytest.mark.parametrize("name", ["/app/none.csv", "/app/plot", "result.csv/none", "/etc", ".."])
def test_what_is_not_there_is_exit_code_4_and_files_that_are_get_named(nsmlctl: Run, name: str) -> None:
    outcome = nsmlctl("download", "-s", name, "kim/kin/1", "out")
    assert outcome.code == 4
    assert "result.csv" in outcome.err


@pytest.mark.parametrize(
    ("state", "final", "hint"), [("running", False, "collected when it ends"), ("exited", True, "nsmlctl model ls")]
)
def test_a_session_without_files_says_why(
    nsmlctl: Run, platform: Any, session: Any, state: str, final: bool, hint: str
) -> None:
    platform.on("GET", FILES, {"files": [], "left_out": []})
    platform.on("GET", "/sessions/kim/kin/1", session(final=final, state=state))
    outcome = nsmlctl("download", "kim/kin/1", "out")
    assert outcome.code == 4
    assert hint in outcome.err


def test_bytes_that_are_not_the_announced_ones_get_no_name(nsmlctl: Run, platform: Any, folder: Path) -> None:
    platform.on("GET", f"{FILES}/result.csv", with_hash(b"other", blake3(b"meant").hexdigest()))
    outcome = nsmlctl("download", "-s", "result.csv", "kim/kin/1", "out")
    assert outcome.code == 1
    assert "did not arrive as it was sent" in outcome.err
    assert names(folder / "out") == []


def test_a_file_without_a_hash_is_not_believed(nsmlctl: Run, platform: Any, folder: Path) -> None:
    platform.on("GET", f"{FILES}/result.csv", WRITTEN["result.csv"])
    assert nsmlctl("download", "-s", "result.csv", "kim/kin/1", "out").code == 1
    assert names(folder / "out") == []


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil", "x\u202ey"])
def test_a_path_that_leads_elsewhere_is_never_written(nsmlctl: Run, platform: Any, folder: Path, path: str) -> None:
    platform.on("GET", FILES, {"files": [[path, 1]], "left_out": []})
    assert nsmlctl("download", "-f", "kim/kin/1", "inner/out").code == 1
    assert not (folder / "inner").exists()


def test_a_link_in_the_target_is_replaced_and_not_followed(nsmlctl: Run, folder: Path, tmp_path: Path) -> None:
    (folder / "out").mkdir()
    (tmp_path / "precious").write_text("mine")
    (folder / "out/result.csv").symlink_to(tmp_path / "precious")
    (folder / "out/plots").symlink_to(tmp_path)
    assert nsmlctl("download", "-f", "-s", "result.csv", "kim/kin/1", "out").code == 0
    assert (tmp_path / "precious").read_text() == "mine"
    assert nsmlctl("download", "-f", "-s", "plots/*", "kim/kin/1", "out").code == 1
    assert not (tmp_path / "loss.png").exists()


def test_what_was_not_kept_is_named_with_its_reason(nsmlctl: Run, platform: Any) -> None:
    left_out = [[f"big{number}.bin", "too large"] for number in range(7)]
    platform.on("GET", FILES, {"files": [["result.csv", 8]], "left_out": left_out})
    outcome = nsmlctl("download", "kim/kin/1", "out")
    assert "Not kept: big0.bin: too large" in outcome.err
    assert "and 2 more" in outcome.err
    told = json.loads(nsmlctl("download", "-f", "-j", "kim/kin/1", "out").out)
    assert told["left_out"] == left_out
    assert told["files"] == ["result.csv"]


def test_a_terminal_shows_how_far_it_is(nsmlctl: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Fetching" not in nsmlctl("download", "kim/kin/1", "quiet").err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    told = nsmlctl("download", "kim/kin/1", "out").err
    assert "Fetching 3 files (17 Bytes)" in told
    assert "100%" in told
