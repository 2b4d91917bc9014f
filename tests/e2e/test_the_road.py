"""The main job once, as people walk it: up → push → run → logs → model ls → submit → board."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
KIN = ROOT / "examples/kin"


@pytest.fixture(scope="module")
def kin(platform: Any) -> str:
    """A trained session of examples/kin."""
    platform.ctl(
        "dataset", "push", "kin_phase1", str(KIN / "dataset"), "-l", "--metric", "accuracy", "--order", "descending"
    )
    name: str = platform.json("run", "-d", "kin_phase1", "main.py", "-a", "--epochs 3", "-m", "first try", cwd=KIN)[
        "name"
    ]
    assert platform.wait_for(name)["state"] == "exited"
    return name


def test_a_session_is_named_after_user_dataset_and_number(kin: str) -> None:
    assert kin == "mina/kin_phase1/1"


def test_the_worker_is_a_process_of_its_own(platform: Any, kin: str) -> None:
    pids = platform.worker_pids()
    assert pids
    assert platform.login["pid"] not in pids


def test_the_log_holds_what_the_program_printed(platform: Any, kin: str) -> None:
    assert "epoch" in platform.ctl("logs", "session/1").stdout


def test_checkpoints_are_listed_with_what_was_reported(platform: Any, kin: str) -> None:
    listed = platform.json("model", "ls", "session/1")
    checkpoints = listed if isinstance(listed, list) else listed["checkpoints"]
    assert len(checkpoints) >= 3
    assert all(checkpoint["summary"] for checkpoint in checkpoints)


def test_the_score_equals_the_accuracy_counted_by_hand(platform: Any, kin: str) -> None:
    submission = platform.json("submit", kin)
    labels = (KIN / "dataset/test/test_label").read_text().split()
    answers = predictions_of(platform, submission["id"])
    by_hand = sum(answer == label for answer, label in zip(answers, labels, strict=True)) / len(labels)
    assert submission["score"] == pytest.approx(by_hand, abs=1e-12)
    assert by_hand > 0.6, "the example must have learned something, without which this proves little"


def predictions_of(platform: Any, submission: int) -> list[str]:
    """The prediction file as the operator finds it in the data folder: large ones alone, small ones within a pack."""
    with sqlite3.connect(f"file:{platform.data / 'nsml.sqlite'}?mode=ro", uri=True) as rows:
        (digest,) = rows.execute("SELECT prediction_hash FROM submissions WHERE id = ?", (submission,)).fetchone()
    from nsml_server.storage.blobs import FolderBlobStore

    with FolderBlobStore(platform.data / "blobs").open(digest) as blob:
        return blob.read().decode().split()


def test_the_board_shows_the_best_of_each_user(platform: Any, kin: str) -> None:
    for _ in range(2):
        platform.ctl("submit", kin, "1")
    board = platform.json("dataset", "board", "kin_phase1")
    assert [(entry["rank"], entry["owner"]) for entry in board["entries"]] == [(1, "mina")]
    assert board["entries"][0]["count"] >= 2


@pytest.mark.frameworks
@pytest.mark.parametrize("example", ["kin_torch", "kin_tensorflow"])
def test_the_same_with_a_real_framework(platform: Any, kin: str, example: str) -> None:
    name = platform.json("run", "-d", "kin_phase1", "main.py", "-m", example, cwd=ROOT / "examples" / example)["name"]
    session = platform.wait_for(name, timeout=240)
    assert session["state"] == "exited", platform.ctl("logs", name).stdout[-3000:]
    submission = platform.json("submit", name)
    assert submission["state"] == "scored"
    assert submission["score"] > 0.6


def test_a_folder_s_last_dataset_decides_what_a_short_name_means(platform: Any, kin: str, tmp_path: Path) -> None:
    assert platform.ctl("logs", "1", cwd=KIN).stdout == platform.ctl("logs", kin).stdout


def test_the_client_leaves_no_token_in_the_platform_s_log(platform: Any, kin: str) -> None:
    assert platform.login["token"] not in platform.log.read_text()
    assert (platform.home / "platform.json").stat().st_mode & 0o077 == 0
