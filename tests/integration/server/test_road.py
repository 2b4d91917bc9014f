"""run → save → submit → board through both APIs, with a worker that follows a script."""

from typing import Any

import pytest
from blake3 import blake3
from sqlalchemy import event


def test_a_session_goes_from_queued_to_exited(mina: Any, worker: Any) -> None:
    mina.push()
    worker.hello()
    opened = mina.run(args="--epochs 3", memo="first try")
    assert opened.status_code == 201
    session = opened.json()
    assert (session["name"], session["state"], session["status"]) == ("mina/kin/1", "queued", "Queued")
    attempt = worker.take_one()
    assert mina.session("mina/kin/1")["state"] == "preparing"
    attempt.tell("started")
    assert mina.session("mina/kin/1")["status"] == "Running"
    attempt.end()
    ended = mina.session("mina/kin/1")
    assert (ended["state"], ended["final"], ended["exit_code"], ended["message"]) == ("exited", True, 0, None)


def test_a_training_gets_its_code_and_neither_labels_nor_test_inputs(mina: Any, worker: Any) -> None:
    mina.push()
    worker.hello()
    mina.run(args='--name "a b"')
    attempt = worker.take_one()
    assert attempt.spec["argv"] == ["python", "-u", "main.py", "--name", "a b"]
    assert attempt.mounted("/app") == ["lib/deep.py", "main.py", "other.py"]
    assert attempt.mounted("/data/kin") == ["data_loader.py", "train/train_data", "train/train_label"]
    assert attempt.spec["environment"]["NSML_SESSION"] == "1"


def test_a_submit_predicts_then_scores_then_moves_the_board(mina: Any, worker: Any, trained: str) -> None:
    submitted = mina.submit(trained, "2")
    assert submitted.status_code == 201
    assert submitted.json()["state"] == "queued"
    predict = worker.take_one()
    assert mina.submission(1)["state"] == "predicting"
    predict.tell("started")
    predict.end(outputs={"prediction": b"1\n1\n1\n"})
    waiting = mina.submission(1)
    assert waiting["state"] == "scoring"
    assert waiting["waiting"]["text"]
    worker.score({"score": 2 / 3})
    scored = mina.submission(1)
    assert (scored["state"], scored["score"], scored["rank"], scored["best"]) == ("scored", 2 / 3, 1, True)
    board = mina.call("GET", "/datasets/kin/board").json()
    (entry,) = board["entries"]
    assert (entry["rank"], entry["owner"], entry["score"], entry["checkpoint"], entry["count"]) == (
        1,
        "mina",
        2 / 3,
        "2",
        1,
    )
    assert entry["session"] == trained


def test_a_prediction_sees_test_inputs_without_labels_and_a_scoring_no_code(
    mina: Any, worker: Any, trained: str
) -> None:
    mina.submit(trained)
    predict = worker.take_one()
    assert predict.spec["argv"] == ["python", "-u", "main.py", "--mode", "test", "--pause", "1"]
    assert predict.mounted("/data/kin") == ["data_loader.py", "test/test_data"]
    assert predict.mounted("/nsml/checkpoint") == ["model"]
    assert predict.mounted("/nsml/loader") == ["data_loader.py"]
    assert not predict.spec["keep_checkpoints"]
    predict.end(outputs={"prediction": b"1\n"})
    score = worker.take_one()
    assert score.mounted("/data/kin") == ["test/test_data", "test/test_label"]
    assert score.mounted("/nsml/prediction") == ["prediction"]
    assert score.mounted("/app") == []
    assert score.spec["argv"][:4] == ["python", "@score", "--metric", "accuracy"]


def test_a_session_is_listed_with_the_best_score_it_earned(mina: Any, worker: Any, trained: str) -> None:
    assert mina.session(trained)["score"] is None
    for checkpoint, score in (("1", 0.5), ("2", 0.25)):
        mina.submit(trained, checkpoint)
        worker.predict()
        worker.score({"score": score})
    assert mina.session(trained)["score"] == 0.5
    assert mina.call("PATCH", "/datasets/kin", json={"order": "ascending"}).status_code == 200
    assert mina.session(trained)["score"] == 0.25
    listed = mina.call("GET", "/sessions?all=1").json()["sessions"]
    assert [session["score"] for session in listed] == [0.25]
    # A score by another metric is no longer one to compare with.
    assert mina.call("PATCH", "/datasets/kin", json={"metric": "mse"}).status_code == 200
    assert mina.session(trained)["score"] is None


def test_without_a_name_the_best_checkpoint_by_the_boards_metric_is_submitted(mina: Any, trained: str) -> None:
    assert mina.submit(trained).json()["checkpoint"] == "1"


def test_without_that_metric_the_newest_checkpoint_is_submitted(mina: Any, worker: Any) -> None:
    mina.push()
    worker.hello()
    name = mina.run().json()["name"]
    worker.train(old={"loss": 1.0}, new={"loss": 2.0})
    assert mina.submit(name).json()["checkpoint"] == "new"


def test_a_session_keeps_the_data_it_began_with_and_a_submit_takes_the_newest(
    mina: Any, worker: Any, trained: str
) -> None:
    fresh = {"train/train_data": b"x", "test/test_data": b"new inputs", "test/test_label": b"0\n"}
    fresh["data_loader.py"] = b"def test_data_loader(root_path):\n    pass\n"
    assert mina.push(files=fresh).status_code == 409
    assert mina.push(files=fresh, force=True).json()["version"] == 2
    mina.submit(trained)
    predict = worker.take_one()
    data = next(mount for mount in predict.spec["mounts"] if mount["target"] == "/data/kin")
    assert [file["size"] for file in data["tree"]["files"] if file["path"] == "test/test_data"] == [len(b"new inputs")]


def test_the_summary_is_what_the_journal_said_last(mina: Any, worker: Any) -> None:
    mina.push()
    worker.hello()
    mina.run()
    attempt = worker.take_one()
    attempt.tell("started")
    line = b'{"k":"report","t":1700000000,"values":{"loss":0.5},"step":1,"summary":true}\n'
    attempt.write("events", 0, line + line[:20])
    attempt.write("events", len(line) + 20, line[20:].replace(b"0.5", b"0.4").replace(b'"step":1', b'"step":2'))
    assert mina.session("mina/kin/1")["summary"] == {"loss": 0.4}
    curves = mina.call("GET", "/sessions/mina/kin/1/metrics").json()["series"]
    assert curves["loss"]["value"] == [0.5, 0.4]


def test_a_log_sent_twice_lands_once_and_a_gap_is_told(mina: Any, worker: Any) -> None:
    mina.push()
    worker.hello()
    mina.run()
    attempt = worker.take_one()
    assert attempt.write("log", 0, b"one\n").json() == {"size": 4}
    assert attempt.write("log", 0, b"one\ntwo\n").json() == {"size": 8}
    gap = attempt.write("log", 12, b"four\n")
    assert (gap.status_code, gap.json()["error"]["code"], gap.json()["size"]) == (409, "stream_gap", 8)
    assert mina.call("GET", "/sessions/mina/kin/1/log").text == "one\ntwo\n"
    assert mina.call("GET", "/sessions/mina/kin/1/log?offset=4").text == "two\n"


def test_a_followed_log_ends_with_the_session(mina: Any, worker: Any) -> None:
    mina.push()
    worker.hello()
    mina.run()
    attempt = worker.take_one()
    attempt.write("log", 0, b"all\n")
    attempt.end()
    assert mina.call("GET", "/sessions/mina/kin/1/log?follow=1").text == "all\n"


def test_facts_told_twice_land_once(mina: Any, worker: Any) -> None:
    mina.push()
    worker.hello()
    mina.run()
    attempt = worker.take_one()
    attempt.tell("started")
    ended = attempt.end()
    assert ended.json() == {"accepted": 2}
    attempt.seq -= 1
    again = attempt.tell("ended", {"reason": "exit_code", "exit_code": 9})
    assert again.json() == {"accepted": 2}
    assert mina.session("mina/kin/1")["state"] == "exited"


def test_facts_that_leave_a_gap_wait_for_what_is_missing(mina: Any, worker: Any) -> None:
    mina.push()
    worker.hello()
    mina.run()
    attempt = worker.take_one()
    attempt.seq = 4
    assert attempt.tell("started").json() == {"accepted": 0}


def test_a_failed_training_names_the_programs_own_line(mina: Any, worker: Any) -> None:
    mina.push()
    worker.hello()
    mina.run()
    attempt = worker.take_one()
    attempt.tell("started")
    error = {"k": "error", "t": 1700000000, "phase": "start", "type": "KeyError", "module": "builtins"}
    error |= {"message": "'x'", "frames": [["/app/main.py", 5, "load"]]}
    attempt.end("exit_code", error=error)
    session = mina.session("mina/kin/1")
    assert session["state"] == "failed"
    assert "KeyError" in session["message"]
    assert "main.py:5" in session["message"]


def test_a_prediction_that_fails_says_where_and_never_what_it_read(mina: Any, worker: Any, trained: str) -> None:
    mina.submit(trained)
    attempt = worker.take_one()
    attempt.tell("started")
    attempt.write("log", 0, b"hidden inputs\n")
    error = {"k": "error", "t": 1700000000, "phase": "load", "type": "KeyError", "module": "builtins"}
    error |= {"message": "'hidden inputs'", "frames": [["/app/main.py", 5, "load"]]}
    attempt.end("exit_code", error=error, detail="hidden inputs")
    submission = mina.submission(1)
    assert (submission["state"], submission["reason"], submission["phase"]) == ("failed", "load_failed", "load")
    assert "main.py:5" in submission["message"]
    for path in ("/submissions/1", "/submissions", f"/sessions/{trained}", f"/sessions/{trained}/log"):
        assert "hidden inputs" not in mina.call("GET", path).text


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"error": {"code": "wrong_length", "message": "secret", "expected": 3, "got": 2}}, "wrong_length"),
        ({"error": {"code": "evaluation_failed", "message": "secret"}}, "evaluation_failed"),
        ({"error": {"code": ["odd"]}}, "evaluation_failed"),
        ({"score": float("nan")}, "evaluation_failed"),
        ({"score": True}, "evaluation_failed"),
        ({"score": 10**400}, "evaluation_failed"),
        ([], "evaluation_failed"),
    ],
)
def test_no_score_is_a_failed_submission_that_tells_only_counts(
    mina: Any, worker: Any, trained: str, answer: Any, reason: str
) -> None:
    mina.submit(trained)
    worker.predict()
    worker.score(answer)
    submission = mina.submission(1)
    assert (submission["state"], submission["reason"], submission["score"]) == ("failed", reason, None)
    assert "secret" not in submission["message"]
    assert mina.call("GET", "/datasets/kin/board").json()["entries"] == []


def test_the_worker_may_fetch_what_it_mounts_and_nothing_else(mina: Any, worker: Any) -> None:
    mina.push()
    worker.hello()
    mina.run()
    attempt = worker.take_one()
    allowed = attempt.spec["mounts"][0]["tree"]["files"][1]["hash"]
    assert attempt.call("GET", f"/blobs/{allowed}").status_code == 200
    labels = next(file["hash"] for file in mina.upload({"test/test_label": b"1\n0\n1\n"})["files"])
    assert attempt.call("GET", f"/blobs/{labels}").status_code == 422
    assert attempt.call("POST", "/blobs/fetch", json={"hashes": [allowed, labels]}).status_code == 422


def test_what_a_prediction_made_cannot_be_taken_home_by_its_hash(mina: Any, worker: Any, trained: str) -> None:
    mina.submit(trained)
    worker.predict(b"hidden inputs as a prediction\n")
    stolen = mina.upload({"main.py": b"print(1)\n"})
    secret = b"hidden inputs as a prediction\n"
    from_prediction = {"path": "loot", "size": len(secret), "hash": blake3(secret).hexdigest(), "mode": 0o644}
    stolen["files"].append(from_prediction)
    refused = mina.call("POST", "/sessions", json={"dataset": None, "code": stolen, "entry": "main.py"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "blobs_missing")


def test_a_submit_that_trains_again_until_its_limit_is_told_what_its_source_lacks(mina: Any, worker: Any) -> None:
    source = b"import nsml\nnsml.bind(save=print, load=print, infer=print)\nwhile True:\n    pass\n"
    mina.push()
    worker.hello()
    name = mina.run(files={"main.py": source}).json()["name"]
    worker.train()
    mina.submit(name)
    attempt = worker.take_one()
    attempt.tell("started")
    attempt.end("wall_clock")
    failed = mina.submission(1)
    assert (failed["state"], failed["reason"], failed["phase"]) == ("failed", "wall_clock", "start")
    assert "it trained again instead" in failed["message"]
    assert "It never calls `nsml.paused`" in failed["message"]


def test_a_list_of_submits_costs_as_many_queries_however_long_it_is(
    mina: Any, worker: Any, trained: str, platform: Any
) -> None:
    for score in (0.5, 0.75, 0.25):
        mina.submit(trained)
        worker.predict()
        worker.score({"score": score})
    for _ in range(3):
        mina.submit(trained)
    asked: list[str] = []

    def ask(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(platform.database.engine, "before_cursor_execute", ask)
    counts = []
    for last in (4, 6):  # of both kinds
        asked.clear()
        listed = mina.call("GET", f"/submissions?last={last}").json()["submissions"]
        counts.append(len(asked))
    assert counts[0] == counts[1]
    assert [(row["score"], row["rank"], row["best"], row["waiting"] is None) for row in listed] == [
        *[(None, None, False, False)] * 3,
        (0.25, 1, False, True),
        (0.75, 1, True, True),
        (0.5, 1, False, True),
    ]


def test_one_person_has_only_so_many_submits_under_way(mina: Any, stranger: Any, trained: str, platform: Any) -> None:
    most = platform.settings.open_submissions
    accepted = [mina.submit(trained).json()["id"] for _ in range(most)]
    refused = mina.submit(trained)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limited")
    assert f"{most} submits of yours are under way" in refused.json()["error"]["message"]
    mina.call("POST", f"/submissions/{accepted[0]}/cancel")
    assert mina.submit(trained).status_code == 201
