"""`nsmlctl dataset`: pushing, listing, boards."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def a_platform_that_takes_everything(platform: Any, folder: Path) -> None:
    (folder / "data" / "test").mkdir(parents=True)
    (folder / "data" / "data_loader.py").write_text("loader")
    (folder / "data" / "test" / "test_label").write_text("1\n")
    platform.on("GET", "/platform", {"version": "0.1.0", "limits": {"upload_files": 1}})
    platform.on("POST", "/blobs/missing", lambda call: {"missing": call.content["hashes"]})
    platform.on("POST", "/packs", {})
    platform.on("PUT", "/datasets/kin", {"name": "kin"})


def pushed(platform: Any) -> Any:
    return platform.called("PUT", "/datasets/kin")[-1].content


def test_a_push_sends_the_folder_and_what_was_typed(nsmlctl: Run, platform: Any) -> None:
    words = ["push", "kin", "data", "-l", "--metric", "mse", "--order", "ascending", "--description", "d", "-f"]
    assert "Dataset kin is pushed" in nsmlctl("dataset", *words).out
    wish = pushed(platform)
    assert [file["path"] for file in wish.pop("tree")["files"]] == ["data_loader.py", "test/test_label"]
    assert wish == {"leaderboard": True, "metric": "mse", "order": "ascending", "description": "d", "force": True}


def test_accuracy_is_the_metric_unless_said(nsmlctl: Run, platform: Any) -> None:
    nsmlctl("dataset", "push", "kin", "data")
    assert (pushed(platform)["metric"], pushed(platform)["order"], pushed(platform)["force"]) == (
        "accuracy",
        None,
        False,
    )


@pytest.mark.parametrize("typed", [["-e", "judge.py"], ["-e=judge.py"], ["-e", "evaluation.py"]])
def test_an_own_evaluation_becomes_evaluation_py_and_the_metric_custom(
    nsmlctl: Run, platform: Any, folder: Path, typed: list[str]
) -> None:
    place = folder / "data" if "evaluation.py" in typed else folder
    (place / typed[-1].removeprefix("-e=")).write_text("print(1)")
    nsmlctl("dataset", "push", "kin", "data", *typed)
    hashes = {file["path"]: file["hash"] for file in pushed(platform)["tree"]["files"]}
    assert hashes["evaluation.py"] == blake3(b"print(1)").hexdigest()
    assert pushed(platform)["metric"] == "custom"


def test_a_missing_evaluation_is_named(nsmlctl: Run, platform: Any) -> None:
    outcome = nsmlctl("dataset", "push", "kin", "data", "-e", "judge.py")
    assert outcome.code == 2
    assert "judge.py: there is no such file" in outcome.err


def test_a_dataset_is_a_folder(nsmlctl: Run, platform: Any) -> None:
    outcome = nsmlctl("dataset", "push", "kin", "nothing")
    assert outcome.code == 2
    assert "'nothing' is not a folder" in outcome.err
    assert platform.calls == []


def test_a_name_that_is_taken_is_told_before_the_upload(nsmlctl: Run, platform: Any) -> None:
    platform.on("GET", "/datasets/kin", {"name": "kin"})
    outcome = nsmlctl("dataset", "push", "kin", "data")
    assert outcome.code == 1
    assert "There is a dataset kin already.\nSay `-f`" in outcome.err
    assert [call.method for call in platform.calls] == ["GET"]
    assert nsmlctl("dataset", "push", "-f", "kin", "data").code == 0


def test_what_the_server_finds_wrong_is_told(nsmlctl: Run, platform: Any, refuse: Any) -> None:
    platform.on("PUT", "/datasets/kin", refuse(422, "invalid", "test/test_data is missing."))
    outcome = nsmlctl("dataset", "push", "kin", "data", "-l")
    assert outcome.code == 1
    assert "test/test_data is missing." in outcome.err


def test_ctrl_c_in_the_upload_changes_nothing_and_says_so(nsmlctl: Run, platform: Any) -> None:
    platform.on("POST", "/packs", KeyboardInterrupt())
    outcome = nsmlctl("dataset", "push", "kin", "data")
    assert outcome.code == 130
    assert "no dataset was made or changed" in outcome.err
    assert not platform.called("PUT", "/datasets/kin")


@pytest.mark.parametrize("path", ["data", "./data/", "data/../data", "link"])
def test_what_is_no_competition_lies_below_train_as_in_nsml(
    nsmlctl: Run, platform: Any, folder: Path, path: str
) -> None:
    (folder / "link").symlink_to("data")
    outcome = nsmlctl("dataset", "push", "kin", path)
    name = "link" if path == "link" else "data"
    expected = [f"train/{name}/data_loader.py", f"train/{name}/test/test_label"]
    assert [file["path"] for file in pushed(platform)["tree"]["files"]] == expected
    assert f"DATASET_PATH/train/{name}" in outcome.err


def test_a_train_folder_of_its_own_stays_where_it_is(nsmlctl: Run, platform: Any, folder: Path) -> None:
    (folder / "data" / "train").mkdir()
    (folder / "data" / "train" / "data.txt").write_text("x")
    assert "DATASET_PATH" not in nsmlctl("dataset", "push", "kin", "data").err
    paths = [file["path"] for file in pushed(platform)["tree"]["files"]]
    assert paths == ["data_loader.py", "test/test_label", "train/data.txt"]


def test_data_in_a_folder_that_programs_leave_out_is_pushed(nsmlctl: Run, platform: Any, folder: Path) -> None:
    (folder / "data" / "venv").mkdir()
    (folder / "data" / "venv" / "x").write_text("x")
    nsmlctl("dataset", "push", "kin", "data")
    assert "train/data/venv/x" in [file["path"] for file in pushed(platform)["tree"]["files"]]


def test_ls_has_nsml_s_columns(nsmlctl: Run, platform: Any) -> None:
    kin = {"name": "kin", "size": 1000, "updated_at": "2020-01-01T00:00:00Z", "owner": "kim", "description": "pairs"}
    platform.on("GET", "/datasets", {"datasets": [kin]})
    title, _, line = nsmlctl("dataset", "ls").out.splitlines()
    assert title.split() == ["Name", "Size", "Last", "Modified", "Author", "Description", "Tag"]
    for text in ("kin", "1.00 kB", "years ago", "kim", "pairs"):
        assert text in line


ENTRY = {
    "rank": 1, "owner": "kim", "score": 0.834684775998, "submitted_at": "2020-01-01T00:00:00Z",
    "session": "kim/kin/1", "checkpoint": "3", "args": "--lr 1", "count": 2,
}  # fmt: skip


class TestBoard:
    def test_the_board_has_nsml_s_columns_and_every_digit(self, nsmlctl: Run, platform: Any) -> None:
        platform.on("GET", "/datasets/kin/board", {"dataset": "kin", "entries": [ENTRY]})
        title, _, line = nsmlctl("dataset", "board", "kin").out.splitlines()
        assert title.split() == ["Owner", "Score", "Submitted", "Session", "Model", "Args"]
        for text in ("kim", "0.834684775998", "years ago", "kim/kin/1", "--lr 1"):
            assert text in line

    def test_an_empty_board_says_why(self, nsmlctl: Run, platform: Any) -> None:
        platform.on("GET", "/datasets/kin/board", {"dataset": "kin", "leaderboard": True, "entries": []})
        platform.on("GET", "/datasets/data/board", {"dataset": "data", "leaderboard": False, "entries": []})
        assert nsmlctl("dataset", "board", "kin").err.startswith("No score yet;")
        assert nsmlctl("dataset", "board", "data").err.startswith("data has no leaderboard")

    def test_mine_and_json(self, nsmlctl: Run, platform: Any) -> None:
        platform.on("GET", "/datasets/kin/board", {"dataset": "kin", "entries": [ENTRY]})
        assert json.loads(nsmlctl("dataset", "board", "kin", "--mine", "-j").out)["entries"] == [ENTRY]
        assert platform.calls[0].query == {"mine": "1"}

    def test_an_unknown_dataset_is_exit_code_4(self, nsmlctl: Run, platform: Any, refuse: Any) -> None:
        platform.on("GET", "/datasets/kni/board", refuse(404, "no_such_dataset", "There is no dataset kni."))
        assert nsmlctl("dataset", "board", "kni").code == 4


def test_removing_asks_unless_it_is_said(nsmlctl: Run, platform: Any) -> None:
    platform.on("DELETE", "/datasets/kin", {})
    outcome = nsmlctl("dataset", "rm", "kin")
    assert outcome.code == 2
    assert "add -f" in outcome.err
    assert platform.calls == []
    assert nsmlctl("dataset", "rm", "-f", "kin").code == 0


def test_search_finds_by_a_part_of_the_name_or_by_wildcards(nsmlctl: Run, platform: Any) -> None:
    names = ["kin_phase1", "kin_phase2", "movie"]
    platform.on("GET", "/datasets", {"datasets": [{"name": name} for name in names]})
    found = json.loads(nsmlctl("dataset", "search", "kin_*", "-j").out)["datasets"]
    assert [dataset["name"] for dataset in found] == names[:2]
    assert "kin_phase1" in nsmlctl("dataset", "search", "phase1").out
    assert nsmlctl("dataset", "search", "food").code == 4


def test_fs_lists_a_hundred_files_unless_all_are_asked_for(nsmlctl: Run, platform: Any) -> None:
    files = [{"path": f"train/{number:03}", "size": 1, "hash": "", "mode": 420} for number in range(120)]
    platform.on("GET", "/datasets/kin/tree", {"files": files})
    shown = nsmlctl("dataset", "fs", "kin").out
    assert "train/099" in shown
    assert "train/100" not in shown
    assert "and 20 more" in shown
    assert "train/119" in nsmlctl("dataset", "fs", "-a", "kin").out


@pytest.mark.parametrize(
    "words", [["fs", "kin"], ["pull", "kin", "out"], ["change", "kin", "--description", "second round"]]
)
def test_what_the_platform_does_not_do_with_datasets_is_said_plainly(
    nsmlctl: Run, platform: Any, refuse: Any, words: list[str]
) -> None:
    for method, path in (("GET", "/datasets/kin/tree"), ("PATCH", "/datasets/kin")):
        platform.on(method, path, refuse(405, "method_not_allowed", "Method Not Allowed."))
    outcome = nsmlctl("dataset", *words)
    assert outcome.code == 1
    assert "This platform does not" in outcome.err


def test_a_dataset_of_one_s_own_comes_home(nsmlctl: Run, platform: Any, folder: Path) -> None:
    digest = blake3(b"rows").hexdigest()
    platform.on(
        "GET", "/datasets/kin/tree", {"files": [{"path": "train/rows", "size": 4, "hash": digest, "mode": 420}]}
    )
    platform.on("GET", "/datasets/kin/files/train/rows", b"rows")
    assert nsmlctl("dataset", "pull", "kin", "mine").code == 0
    assert (folder / "mine/train/rows").read_bytes() == b"rows"


def test_change_sends_only_what_is_to_change(nsmlctl: Run, platform: Any) -> None:
    platform.on("PATCH", "/datasets/kin", {"name": "kin"})
    nsmlctl("dataset", "change", "kin", "--order", "ascending")
    assert platform.called("PATCH", "/datasets/kin")[0].content == {"order": "ascending"}
    assert nsmlctl("dataset", "change", "kin").code == 2


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        (["--metric", "mse", "--description", "second round"], {"metric": "mse", "description": "second round"}),
        (["--leaderboard"], {"leaderboard": True}),
        (["--no-leaderboard"], {"leaderboard": False}),
        (["--keep-models"], {"pull_models": False}),
        (["--let-models-go", "--model-size-limit", "300M"], {"pull_models": True, "max_model_bytes": 300 * 2**20}),
        (["--max-model-size", "0"], {"max_model_bytes": None}),
    ],
)
def test_whatever_is_said_of_a_dataset_can_change(
    nsmlctl: Run, platform: Any, words: list[str], sent: dict[str, Any]
) -> None:
    platform.on("PATCH", "/datasets/kin", {"name": "kin"})
    assert nsmlctl("dataset", "change", "kin", *words).out == "Dataset kin is changed\n"
    assert platform.called("PATCH", "/datasets/kin")[0].content == sent


@pytest.mark.parametrize(
    ("words", "sentence"), [(["-u", "lee"], "-u: not needed"), (["--tags", "#nlp"], "--tags: not kept")]
)
def test_what_has_no_meaning_here_is_answered_and_the_rest_changes(
    nsmlctl: Run, platform: Any, words: list[str], sentence: str
) -> None:
    platform.on("PATCH", "/datasets/kin", {"name": "kin"})
    outcome = nsmlctl("dataset", "change", *words, "--order", "ascending", "kin")
    assert outcome.code == 0
    assert sentence in outcome.err


def test_a_limit_for_models_goes_with_a_push(nsmlctl: Run, platform: Any) -> None:
    nsmlctl("dataset", "push", "--model-size-limit", "300M", "kin", "data")
    assert pushed(platform)["max_model_bytes"] == 300 * 2**20
    nsmlctl("dataset", "push", "kin", "data")
    assert "max_model_bytes" not in platform.called("PUT", "/datasets/kin")[1].content


def test_a_private_push_is_refused_rather_than_shown_to_everybody(nsmlctl: Run, platform: Any) -> None:
    assert nsmlctl("dataset", "push", "--private", "kin", "data").code == 2
    assert platform.calls == []


def test_the_historic_push_goes_through_with_a_sentence_each(nsmlctl: Run, platform: Any) -> None:
    outcome = nsmlctl("dataset", "push", "-v", "-f", "-l", "--tags", "#nlp", "--copy", "kin", "data")
    assert outcome.code == 0
    assert "--tags: not kept" in outcome.err
    assert "--copy: not needed" in outcome.err
    assert "test/test_label 2 Bytes" in outcome.err


def test_an_organiser_may_keep_models_on_the_platform(nsmlctl: Run, platform: Any) -> None:
    nsmlctl("dataset", "push", "--keep-models", "kin", "data")
    assert pushed(platform)["pull_models"] is False
