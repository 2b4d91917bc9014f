"""`pull`, `download`, `model pull`, `model rm`: what comes home, and where it may be written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

Run = Callable[..., Any]
CODE = "/sessions/kim/kin/1/code"
MODEL = "/sessions/kim/kin/1/checkpoints/best"


def tree(**files: bytes) -> dict[str, Any]:
    return {"files": [entry(path, content) for path, content in files.items()]}


def entry(path: str, content: bytes) -> dict[str, Any]:
    return {"path": path, "size": len(content), "hash": blake3(content).hexdigest(), "mode": 0o644}


@pytest.fixture(autouse=True)
def a_session_with_code_and_a_checkpoint(platform: Any) -> None:
    platform.on("GET", CODE, {"files": [entry("main.py", b"print(1)"), entry("lib/net.py", b"net")]})
    platform.on("GET", f"{CODE}/main.py", b"print(1)")
    platform.on("GET", f"{CODE}/lib/net.py", b"net")
    platform.on("GET", f"{MODEL}/tree", {"files": [entry("model", b"weights"), entry("vocab.pkl", b"words")]})
    platform.on("GET", f"{MODEL}/model", b"weights")
    platform.on("GET", f"{MODEL}/vocab.pkl", b"words")


def test_pull_brings_the_source_home(nsmlctl: Run, folder: Path) -> None:
    outcome = nsmlctl("pull", "-v", "kim/kin/1", "old")
    assert outcome.code == 0
    assert (folder / "old/main.py").read_bytes() == b"print(1)"
    assert (folder / "old/lib/net.py").read_bytes() == b"net"
    assert "lib/net.py 3 Bytes" in outcome.err


def test_pull_overwrites_nothing_unless_told(nsmlctl: Run, folder: Path) -> None:
    (folder / "lib").mkdir()
    (folder / "lib/net.py").write_text("mine")
    outcome = nsmlctl("pull", "kim/kin/1", ".")
    assert outcome.code == 2
    assert not (folder / "main.py").exists()
    assert (folder / "lib/net.py").read_text() == "mine"
    assert nsmlctl("pull", "-f", "kim/kin/1", ".").code == 0
    assert (folder / "lib/net.py").read_text() == "net"


def test_one_file_is_one(nsmlctl: Run, platform: Any) -> None:
    platform.on("GET", CODE, {"files": [entry("main.py", b"print(1)")]})
    platform.on("GET", f"{MODEL}/tree", {"files": [entry("model", b"weights")]})
    assert nsmlctl("pull", "kim/kin/1", "old").out == "1 file is in old\n"
    assert nsmlctl("model", "pull", "kim/kin/1", "best").out.startswith("1 file of checkpoint best is in ")


def test_a_folder_in_the_place_of_a_checkpoint_is_told(nsmlctl: Run, platform: Any) -> None:
    outcome = nsmlctl("model", "pull", "kim/kin/1", "./models/best")
    assert outcome.code == 2
    assert "nsmlctl model pull kim/kin/1 CHECKPOINT [PATH]" in outcome.err
    assert platform.calls == []


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil", "a//b", "", "a\x00b", "x\u202ey"])
def test_a_path_that_leads_elsewhere_is_never_written(nsmlctl: Run, platform: Any, folder: Path, path: str) -> None:
    platform.on("GET", CODE, {"files": [entry("main.py", b"print(1)"), entry(path, b"x")]})
    outcome = nsmlctl("pull", "-f", "kim/kin/1", "inner/target")
    assert outcome.code == 1
    assert not list(folder.rglob("*evil*"))
    assert not (folder / "inner").exists()


def test_a_link_in_the_target_is_not_followed_out_of_it(nsmlctl: Run, folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / "lib").symlink_to(outside)
    assert nsmlctl("pull", "-f", "kim/kin/1", ".").code == 1
    assert not list(outside.iterdir())


def test_bytes_that_are_not_the_announced_ones_get_no_name(nsmlctl: Run, platform: Any, folder: Path) -> None:
    platform.on("GET", f"{CODE}/main.py", b"print(2)")
    outcome = nsmlctl("pull", "kim/kin/1", "old")
    assert outcome.code == 1
    assert "did not arrive as it was sent" in outcome.err
    assert not list((folder / "old").iterdir())


def test_a_checkpoint_comes_home_whole(nsmlctl: Run, folder: Path) -> None:
    assert nsmlctl("model", "pull", "kim/kin/1", "best").code == 0
    assert (folder / "best/model").read_bytes() == b"weights"
    assert (folder / "best/vocab.pkl").read_bytes() == b"words"


def test_an_organiser_may_keep_models_in(nsmlctl: Run, platform: Any, refuse: Any) -> None:
    platform.on("GET", f"{MODEL}/tree", refuse(403, "models_stay", "The models of kin stay on the platform."))
    outcome = nsmlctl("model", "pull", "kim/kin/1", "best")
    assert outcome.code == 3
    assert "stay on the platform" in outcome.err


def test_model_rm_gives_the_wildcards_to_the_platform(nsmlctl: Run, platform: Any) -> None:
    platform.on("DELETE", "/sessions/kim/kin/1/checkpoints", {"removed": ["11", "21"]}, {"removed": ["30"]})
    assert nsmlctl("model", "rm", "kim/kin/1", "*1", "3?").out == "Removed: 11, 21, 30\n"
    asked = [call.query["name"] for call in platform.called("DELETE", "/sessions/kim/kin/1/checkpoints")]
    assert asked == ["*1", "3?"]


def test_model_rm_of_nothing_is_exit_code_4(nsmlctl: Run, platform: Any) -> None:
    platform.on("DELETE", "/sessions/kim/kin/1/checkpoints", {"removed": []})
    assert nsmlctl("model", "rm", "kim/kin/1", "9").code == 4
