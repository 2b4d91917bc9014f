"""A submit rehearsed on the public sample: the same road, everything shown, and nothing counted."""

from typing import Any

import pytest

SAMPLE = {
    "data_loader.py": b"def feed_infer(output_file, infer_func):\n    pass\n",
    "train/train_data": b"train inputs",
    "train/train_label": b"0\n",
    "test/test_data": b"hidden inputs",
    "test/test_label": b"1\n0\n1\n",
    "test_submit/test_data": b"public inputs",
    "test_submit/test_label": b"1\n0\n",
}
ROWS = {
    **SAMPLE,
    "train/train_data": b"".join(b"row %d\n" % number for number in range(30)),
    "train/train_label": b"".join(b"%d\n" % (number % 2) for number in range(30)),
    "test/test_data": b"a\nb\nc\n",
}
ERROR = {"k": "error", "t": 1700000000, "phase": "infer", "type": "KeyError", "module": "builtins"}
ERROR |= {"message": "'겨울'", "frames": [["/app/main.py", 5, "load"]]}


def without(files: dict[str, bytes], *paths: str) -> dict[str, bytes]:
    return {path: data for path, data in files.items() if not path.startswith(paths)}


def rehearse(person: Any, name: str, key: str | None = None, **wish: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return person.call("POST", f"/sessions/{name}/rehearsals", json=wish, headers=headers)


@pytest.fixture
def ready(mina: Any, worker: Any, trained: str) -> str:
    """A session with checkpoints, on a dataset that now has a public sample."""
    assert mina.push(files=SAMPLE, force=True).status_code == 200
    return trained


def sizes(attempt: Any, target: str) -> dict[str, int]:
    found = [mount for mount in attempt.spec["mounts"] if mount["target"] == target]
    return {file["path"]: file["size"] for mount in found for file in mount["tree"]["files"]}


def test_a_rehearsal_predicts_and_scores_on_the_sample_and_moves_no_board(mina: Any, worker: Any, ready: str) -> None:
    answer = rehearse(mina, ready, checkpoint="2")
    assert answer.status_code == 201
    assert (answer.json()["rehearsal"], answer.json()["checkpoint"]) == (True, "2")
    predict = worker.take_one()
    assert predict.spec["argv"] == ["python", "-u", "main.py", "--mode", "test", "--pause", "1"]
    assert predict.spec["environment"]["NSML_MODE"] == "submit"
    assert sizes(predict, "/data/kin")["test/test_data"] == len(b"public inputs")
    assert "test/test_label" not in sizes(predict, "/data/kin")
    predict.tell("started")
    predict.end(outputs={"prediction": b"1\n0\n"})
    score = worker.take_one()
    assert sizes(score, "/data/kin")["test/test_label"] == len(b"1\n0\n")
    score.end(outputs={"score.json": b'{"score": 0.5}'})
    done = mina.submission(1)
    assert (done["state"], done["score"], done["rank"], done["best"]) == ("scored", 0.5, None, False)
    assert mina.call("GET", "/datasets/kin/board").json()["entries"] == []
    assert mina.call("GET", "/datasets/kin/board?mine=1").json()["entries"] == []


def test_a_session_tells_what_goes_on_of_it_and_cannot_be_removed_before(mina: Any, ready: str, clock: Any) -> None:
    mina.submit(ready, "1")
    rehearse(mina, ready, checkpoint="2")
    clock.move(3 * 24 * 3600)
    going = [
        {"id": 2, "kind": "rehearse", "checkpoint": "2", "state": "queued"},
        {"id": 1, "kind": "submit", "checkpoint": "1", "state": "queued"},
    ]
    assert mina.session(ready)["open_submissions"] == going
    (listed,) = mina.call("GET", "/sessions").json()["sessions"]
    assert (listed["final"], listed["open_submissions"]) == (True, going)
    refused = mina.call("DELETE", f"/sessions/{ready}").json()["error"]
    assert f"`nsmlctl submit --cancel {ready}`" in refused["hint"]
    for number in 1, 2:
        mina.call("POST", f"/submissions/{number}/cancel")
    assert mina.session(ready)["open_submissions"] == []
    assert mina.call("GET", "/sessions").json()["sessions"] == []
    assert mina.call("DELETE", f"/sessions/{ready}").status_code == 204


@pytest.mark.parametrize(("files", "flattering"), [(ROWS, False), (without(ROWS, "test_submit"), True)])
def test_a_score_on_rows_of_train_is_called_flattering(
    mina: Any, worker: Any, trained: str, files: dict[str, bytes], flattering: bool
) -> None:
    assert mina.push(files={**files, "train/train_data": ROWS["train/train_data"]}, force=True).status_code == 200
    assert rehearse(mina, trained).status_code == 201
    worker.predict(b"1\n0\n")
    worker.score({"score": 0.9})
    said = mina.submission(1)["message"]
    sentence = "Rehearsed on the first 10 rows of train: seen in training, so the score is flattering."
    assert said == (sentence if flattering else None)


def test_a_submit_says_nothing_of_rows_of_train(mina: Any, worker: Any, trained: str) -> None:
    mina.push(files=without(ROWS, "test_submit"), force=True)
    mina.submit(trained)
    worker.predict()
    worker.score({"score": 0.9})
    assert (mina.submission(1)["score"], mina.submission(1)["message"]) == (0.9, None)


def test_no_byte_of_the_hidden_test_is_within_a_rehearsals_reach(mina: Any, worker: Any, ready: str) -> None:
    rehearse(mina, ready)
    predict = worker.take_one()
    hidden = next(file["hash"] for file in mina.upload({"x": b"hidden inputs"})["files"])
    assert predict.call("GET", f"/blobs/{hidden}").status_code == 422
    shown = [file["hash"] for mount in predict.spec["mounts"] for file in mount["tree"]["files"]]
    assert hidden not in shown


def test_a_rehearsal_that_fails_shows_the_sentence_the_message_and_the_whole_log(
    mina: Any, worker: Any, ready: str
) -> None:
    rehearse(mina, ready)
    predict = worker.take_one()
    predict.tell("started")
    log = b"Traceback (most recent call last):\n  KeyError: hidden word\n"
    predict.write("log", 0, log)
    predict.end("exit_code", error=ERROR)
    failed = mina.submission(1)
    assert (failed["state"], failed["reason"], failed["phase"]) == ("failed", "infer_failed", "infer")
    assert "KeyError: '겨울' at main.py:5" in failed["message"]
    assert "a vocabulary, exists at submit only if `save` writes it" in failed["message"]
    assert mina.call("GET", "/submissions/1/log").content == log
    assert mina.call("GET", "/submissions/1/log?follow=1&offset=11").content == log[11:]


def test_the_log_of_a_submit_is_shown_to_nobody_and_that_of_a_rehearsal_to_no_stranger(
    mina: Any, stranger: Any, worker: Any, ready: str
) -> None:
    mina.submit(ready)
    rehearse(mina, ready)
    refused = mina.call("GET", "/submissions/1/log")
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "no_log")
    assert stranger.call("GET", "/submissions/2/log").status_code == 404
    assert mina.call("GET", "/submissions/2/log").status_code == 200


def test_a_dataset_of_lines_without_a_sample_is_rehearsed_on_its_first_ten_rows(
    mina: Any, worker: Any, trained: str
) -> None:
    mina.push(files=without(ROWS, "test_submit/"), force=True)
    rehearse(mina, trained)
    predict = worker.take_one()
    files = next(m for m in predict.spec["mounts"] if m["target"] == "/data/kin")["tree"]["files"]
    rows = next(file["hash"] for file in files if file["path"] == "test/test_data")
    assert predict.call("GET", f"/blobs/{rows}").content == b"".join(b"row %d\n" % number for number in range(10))


def test_where_there_is_no_sample_nothing_is_rehearsed_and_one_sentence_says_so(mina: Any, trained: str) -> None:
    refused = rehearse(mina, trained)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "no_sample")
    assert refused.json()["error"]["message"] == "The dataset kin has no public sample to rehearse on."
    assert mina.call("GET", "/submissions").json()["submissions"] == []


def test_a_sample_without_labels_is_predicted_and_not_scored(mina: Any, worker: Any, ready: str) -> None:
    mina.push(files=without(SAMPLE, "test_submit/test_label"), force=True)
    rehearse(mina, ready)
    worker.predict(b"1\n0\n")
    done = mina.submission(1)
    assert (done["state"], done["score"], done["final"]) == ("scored", None, True)
    assert "no labels" in done["message"]


def test_the_same_key_rehearses_once_and_is_no_submit(mina: Any, ready: str) -> None:
    numbers = {rehearse(mina, ready, key="k").json()["id"] for _ in range(2)}
    assert len(numbers) == 1
    assert mina.submit(ready, key="k").json()["error"]["code"] == "conflict"


def test_a_submit_takes_another_entry_and_another_number_of_rows(mina: Any, worker: Any, trained: str) -> None:
    wish = {"entry": "other.py", "batch": 64}
    answer = mina.call("POST", f"/sessions/{trained}/submissions", json=wish)
    assert (answer.status_code, answer.json()["entry"], answer.json()["batch"]) == (201, "other.py", 64)
    spec = worker.take_one().spec
    assert spec["argv"][:3] == ["python", "-u", "other.py"]
    assert spec["environment"]["NSML_BATCH"] == "64"


@pytest.mark.parametrize("wish", [{"entry": "gone.py"}, {"batch": 0}])
def test_a_submit_of_what_is_not_there_is_refused(mina: Any, trained: str, wish: dict[str, Any]) -> None:
    assert mina.call("POST", f"/sessions/{trained}/submissions", json=wish).status_code == 422
    assert mina.call("GET", "/submissions").json()["submissions"] == []


def test_what_the_scorer_says_of_a_rehearsal_is_shown(mina: Any, worker: Any, ready: str) -> None:
    rehearse(mina, ready)
    worker.predict(b"1\n0\n")
    worker.score({"error": {"code": "evaluation_failed", "message": "ValueError: row 3"}})
    assert "ValueError: row 3" in mina.submission(1)["message"]


def test_an_evaluations_own_words_are_kept_so_that_they_can_be_shown(mina: Any, worker: Any, ready: str) -> None:
    rehearse(mina, ready)
    worker.predict()
    worker.score({"error": {"code": "evaluation_failed", "message": "said\0\u202e\ud800"}})
    assert r"said\x00\u202e\ud800" in mina.submission(1)["message"]
