"""A failed evaluation is its organiser's: it is told to them in full, and mended without a new submit (threats B11, E1, E2)."""

from typing import Any

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.exc import IntegrityError

from nsml_server.services import accounts
from nsml_server.storage.tables import Attempt, Rescoring, Run, Submission
from nsml_server.web.visit import LOGIN_COOKIE

FAILED = {"error": {"code": "evaluation_failed", "message": "The evaluation ended with exit code 1."}}
FILES = {
    "data_loader.py": b"def feed_infer(output_file, infer_func):\n    pass\n",
    "train/train_data": b"train inputs",
    "train/train_label": b"0\n",
    "test/test_data": b"hidden inputs",
    "test/test_label": b"1\n0\n1\n",
    "evaluation.py": b"raise SystemExit(1)\n",
}
MENDED = {**FILES, "evaluation.py": b"print(0.5)\n"}


def rescore(person: Any, name: str = "kin", **wish: Any) -> Any:
    return person.call("POST", f"/datasets/{name}/rescore", json=wish)


def push(person: Any, files: dict[str, bytes], **wish: Any) -> None:
    answer = person.push(files=files, metric="custom", force=True, **wish)
    assert answer.status_code == 200, answer.text


def entries(person: Any) -> list[tuple[str, float, int]]:
    board = person.call("GET", "/datasets/kin/board").json()["entries"]
    return [(entry["owner"], entry["score"], entry["count"]) for entry in board]


@pytest.fixture
def rose(join: Any, worker: Any) -> Any:
    """An organiser, with a dataset whose evaluation is broken."""
    person = join("rose")
    push(person, FILES)
    worker.hello()
    return person


@pytest.fixture
def failed(rose: Any, mina: Any, worker: Any) -> str:
    """A session of mina's of which one submit was failed by the evaluation; the submit is number 1."""
    name: str = mina.run().json()["name"]
    worker.train()
    assert mina.submit(name).status_code == 201
    worker.predict()
    attempt = worker.take_one()
    attempt.tell("started")
    attempt.write("log", 0, b"Traceback: the label said HIDDEN\n")
    attempt.end(outputs={"score.json": b'{"error": {"code": "evaluation_failed", "message": "It printed nothing."}}'})
    assert mina.submission(1)["reason"] == "evaluation_failed"
    return name


def test_a_submit_that_the_evaluation_failed_is_scored_again_without_a_new_submit(
    rose: Any, mina: Any, worker: Any, failed: str
) -> None:
    push(rose, MENDED)
    answer = rescore(rose)
    assert answer.status_code == 202, answer.text
    (begun,) = answer.json()["rescorings"]
    assert (begun["submission"], begun["session"], begun["version"], begun["final"]) == (1, failed, 2, False)
    assert begun["before"]["reason"] == "evaluation_failed"
    assert (mina.submission(1)["state"], mina.submission(1)["message"]) == ("scoring", None)
    attempt = worker.take_one()
    assert attempt.number == 2
    evaluation = {file["path"]: file["size"] for mount in attempt.spec["mounts"] for file in mount["tree"]["files"]}
    assert evaluation["evaluation.py"] == len(MENDED["evaluation.py"])
    assert "prediction" in evaluation
    attempt.tell("started")
    attempt.end(outputs={"score.json": b'{"score": 0.75}'})
    done = mina.submission(1)
    assert (done["state"], done["score"], done["rank"], done["reason"]) == ("scored", 0.75, 1, None)
    assert entries(mina) == [("mina", 0.75, 1)]
    assert [row["id"] for row in mina.call("GET", "/submissions").json()["submissions"]] == [1]


def test_what_was_before_is_kept_and_nothing_is_doubled(rose: Any, worker: Any, failed: str, platform: Any) -> None:
    push(rose, MENDED)
    rescore(rose)
    worker.score({"score": 0.75})
    rescore(rose, all=True)
    worker.score({"score": 0.5})
    history = rose.call("GET", "/datasets/kin/rescorings").json()["rescorings"]
    assert [(row["score"], row["before"]["state"], row["before"]["score"]) for row in history] == [
        (0.5, "scored", 0.75),
        (0.75, "failed", None),
    ]
    assert entries(rose) == [("mina", 0.5, 1)], "measured by the dataset as it is now, and counted once"
    with platform.database.read() as tx:
        assert tx.scalar(select(func.count()).select_from(Submission)) == 1
        assert tx.scalar(select(func.count()).select_from(Run).where(Run.submission_id == 1)) == 2
        scoring = tx.scalars(select(Attempt).join(Run, Run.id == Attempt.run_id).where(Run.kind == "score")).all()
    assert [(attempt.number, attempt.reason) for attempt in scoring] == [
        (1, "evaluation_failed"),
        (2, "exited"),
        (3, "exited"),
    ]


def test_the_attempt_of_the_first_scoring_opens_nothing_any_more(
    rose: Any, mina: Any, worker: Any, failed: str
) -> None:
    push(rose, MENDED)
    rescore(rose)
    stale = worker.take_one()
    assert rescore(rose).json()["rescorings"] == [], "it is under way already"
    stale.end("box_lost")
    fresh = worker.take_one()
    assert (stale.number, fresh.number) == (2, 3)
    late = stale.tell("ended", {"reason": "exited", "exit_code": 0, "outputs": []})
    assert late.json()["error"]["code"] == "attempt_over"
    fresh.tell("started")
    fresh.end(outputs={"score.json": b'{"score": 0.25}'})
    assert entries(mina) == [("mina", 0.25, 1)]


def test_only_one_rescoring_of_a_submit_can_be_under_way(rose: Any, worker: Any, failed: str, platform: Any) -> None:
    push(rose, MENDED)
    rescore(rose)
    second = Rescoring(
        submission_id=1, version_id=1, user_id=1, asked_at=0.0, former_version_id=1, former_state="failed"
    )
    with pytest.raises(IntegrityError), platform.database.write() as tx:
        tx.add(second)
    assert rescore(rose, submissions=[1]).json()["error"]["message"] == "Submission 1 has not ended yet."


def test_a_score_stands_until_the_new_one_lands_and_stays_when_the_evaluation_fails(
    rose: Any, mina: Any, worker: Any, failed: str
) -> None:
    push(rose, MENDED)
    rescore(rose)
    worker.score({"score": 0.75})
    push(rose, FILES)
    rescore(rose, submissions=[1])
    rose.call("PATCH", "/datasets/kin", json={"order": "ascending"})  # counts the board anew meanwhile
    assert entries(mina) == [("mina", 0.75, 1)]
    assert mina.call("POST", "/submissions/1/cancel").json()["error"]["code"] == "conflict"
    worker.score(FAILED)
    assert (mina.submission(1)["state"], mina.submission(1)["score"]) == ("scored", 0.75)
    assert mina.submission(1)["message"] is None
    assert entries(mina) == [("mina", 0.75, 1)]
    (newest, _) = rose.call("GET", "/datasets/kin/rescorings").json()["rescorings"]
    assert (newest["score"], newest["reason"]) == (None, "evaluation_failed")
    assert len(rose.call("GET", "/datasets/kin/problems").json()["problems"]) == 1


def test_a_better_submit_of_the_same_person_keeps_its_place_when_an_older_one_is_measured_lower(
    rose: Any, mina: Any, worker: Any, failed: str
) -> None:
    push(rose, MENDED)
    rescore(rose)
    worker.score({"score": 0.9})
    mina.submit(failed)
    worker.predict(b"0\n0\n1\n")
    worker.score({"score": 0.6})
    assert entries(mina) == [("mina", 0.9, 2)]
    rescore(rose, submissions=[1])
    worker.score({"score": 0.1})
    assert entries(mina) == [("mina", 0.6, 2)], "the best of the scores as they are now"


def test_other_test_inputs_or_another_loader_are_refused_in_one_sentence(rose: Any, failed: str) -> None:
    push(rose, {**MENDED, "test/test_data": b"other inputs"})
    for wish in ({}, {"submissions": [1]}, {"all": True}):
        error = rescore(rose, **wish).json()["error"]
        assert error["code"] == "not_rescorable"
        assert error["message"] == (
            "The prediction of submission 1 was made from other test inputs (test/test_data changed since)."
        )
        assert "evaluation.py, the labels, the metric and the training data may change" in error["hint"]
    push(rose, {**MENDED, "data_loader.py": b"def feed_infer(output_file, infer_func):\n    return\n"})
    assert "data_loader.py changed since" in rescore(rose).json()["error"]["message"]
    push(rose, {**MENDED, "test/test_label": b"1\n1\n1\n", "train/train_data": b"more"})
    assert rescore(rose).status_code == 202


def test_what_cannot_be_scored_again_is_said(rose: Any, mina: Any, worker: Any, failed: str) -> None:
    mina.submit(failed)
    worker.take_one().end("exit_code", error=None)
    mina.submit(failed)
    mina.call("POST", "/submissions/3/cancel")
    push(rose, {**MENDED, "test_submit/test_data": b"x", "test_submit/test_label": b"1\n"})
    mina.call("POST", f"/sessions/{failed}/rehearsals", json={})
    said = {number: rescore(rose, submissions=[number]).json()["error"]["message"] for number in (2, 3, 4, 99)}
    assert said[2].startswith("Submission 2 failed before its prediction was made")
    assert said[3] == "Submission 3 was cancelled by its owner."
    assert said[4] == "Submission 4 is a rehearsal, which counts nowhere."
    assert said[99] == "There is no submission 99 on kin."
    assert rescore(rose, submissions=[1], all=True).status_code == 422
    assert rescore(rose, submissions=[1, 2]).status_code == 409
    assert mina.submission(1)["state"] == "failed", "all that were named, or none"


def test_a_prediction_that_only_the_labels_made_wrong_is_scored_again_when_it_is_named(
    rose: Any, mina: Any, worker: Any
) -> None:
    name = mina.run().json()["name"]
    worker.train()
    mina.submit(name)
    worker.predict()
    worker.score({"error": {"code": "wrong_length", "message": "m", "expected": 2, "got": 3}})
    push(rose, MENDED)
    assert rescore(rose).json()["rescorings"] == [], "nobody but its owner can know that it was the labels"
    assert rescore(rose, submissions=[1]).status_code == 202
    worker.score({"score": 1.0})
    assert entries(mina) == [("mina", 1.0, 1)]


def test_a_score_measured_by_a_metric_that_is_no_longer_the_boards_leaves_it_alone(
    rose: Any, mina: Any, worker: Any, failed: str
) -> None:
    push(rose, MENDED)
    rescore(rose)
    rose.call("PATCH", "/datasets/kin", json={"metric": "accuracy"})
    worker.score({"score": 0.75})
    assert (mina.submission(1)["state"], mina.submission(1)["rank"]) == ("scored", None)
    assert entries(mina) == []
    assert rescore(rose, all=True).json()["rescorings"] == []
    rescore(rose, submissions=[1])
    worker.score({"score": 0.5})
    assert entries(mina) == [("mina", 0.5, 1)]


def test_many_are_taken_up_in_several_requests_each_once(
    rose: Any, mina: Any, worker: Any, failed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for answer in (FAILED, {"score": 0.5}, {"score": 0.75}):
        mina.submit(failed)
        worker.predict()
        worker.score(answer)
    push(rose, MENDED)
    monkeypatch.setattr("nsml_server.services.rescoring.AT_ONCE", 2)
    read: set[int] = set()

    def seen(row: Submission, _: Any) -> None:
        read.add(row.id)

    event.listen(Submission, "load", seen)
    try:
        first = rescore(rose, all=True).json()
        assert read == {1, 2, 3}, "what is taken up, and one more that tells of the rest"
    finally:
        event.remove(Submission, "load", seen)
    second = rescore(rose, all=True, after=first["more_after"]).json()
    assert [[row["submission"] for row in answer["rescorings"]] for answer in (first, second)] == [[2, 1], [4, 3]]
    assert (first["more_after"], second["more_after"]) == (2, None)


def test_nothing_to_score_again_is_no_error(rose: Any) -> None:
    assert rescore(rose).json() == {"rescorings": [], "left_out": [], "more_after": None}


def test_its_organiser_reads_the_failure_in_full_and_its_participant_nothing_of_it(
    rose: Any, mina: Any, worker: Any, failed: str
) -> None:
    (problem,) = rose.call("GET", "/datasets/kin/problems").json()["problems"]
    assert (problem["submission"], problem["user"], problem["reason"]) == (1, "mina", "evaluation_failed")
    assert problem["said"] == "It printed nothing."
    assert problem["log"] == "Traceback: the label said HIDDEN\n"
    shown = mina.call("GET", "/submissions/1").text + mina.call("GET", f"/sessions/{failed}/submissions").text
    assert "HIDDEN" not in shown
    assert "It printed nothing." not in shown
    push(rose, MENDED)
    rescore(rose)
    worker.score({"score": 1.0})
    assert rose.call("GET", "/datasets/kin/problems").json() == {"problems": []}


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("wall_clock", "The program was still running at its time limit"),
        ("out_of_memory", "The program used more memory"),
    ],
)
def test_an_evaluation_that_hangs_or_grows_is_the_organisers(
    rose: Any, mina: Any, worker: Any, end: str, said: str
) -> None:
    name = mina.run().json()["name"]
    worker.train()
    mina.submit(name)
    worker.predict()
    attempt = worker.take_one()
    attempt.tell("started")
    attempt.end(end)
    assert mina.submission(1)["reason"] == "evaluation_failed"
    assert rose.call("GET", "/datasets/kin/problems").json()["problems"][0]["said"].startswith(said)
    assert rescore(rose).status_code == 202


def test_a_loader_that_fails_is_told_with_its_error_and_without_its_participants_log(
    rose: Any, mina: Any, worker: Any
) -> None:
    name = mina.run().json()["name"]
    worker.train()
    mina.submit(name)
    attempt = worker.take_one()
    attempt.tell("started")
    attempt.write("log", 0, b"mina's own words\n")
    error = {"k": "error", "t": 1700000000, "phase": "load", "type": "KeyError", "module": "builtins"}
    error |= {
        "message": "'row'",
        "frames": [["/nsml/loader/data_loader.py", 2, "feed_infer"]],
        "organiser": True,
        "infer_calls": 0,
    }
    attempt.end("exit_code", error=error)
    assert mina.submission(1)["reason"] == "loader_failed"
    (problem,) = rose.call("GET", "/datasets/kin/problems").json()["problems"]
    assert problem["said"] == "KeyError: 'row'\n  /nsml/loader/data_loader.py:2:feed_infer"
    assert problem["log"] == ""


def test_none_of_it_is_a_participants_or_a_strangers(mina: Any, stranger: Any, failed: str) -> None:
    for person in (mina, stranger):
        assert rescore(person).status_code == 403
        assert person.call("GET", "/datasets/kin/problems").status_code == 403
        assert person.call("GET", "/datasets/kin/rescorings").status_code == 403


def page_of(person: Any, platform: Any, language: str = "en") -> str:
    """The dataset's page as this person's browser shows it."""
    with platform.database.write() as tx:
        token = accounts.log_in_browser(tx, person.token, platform.now())
    headers = {"Cookie": f"{LOGIN_COOKIE}={token}", "Accept": "text/html", "Accept-Language": language}
    answer = person.client.get("/leaderboard/kin", headers=headers)
    assert answer.status_code == 200
    return str(answer.text)


@pytest.mark.parametrize(("language", "heading"), [("en", "Problems of the evaluation"), ("ko", "평가의 문제")])
def test_the_page_of_a_dataset_shows_its_owner_what_the_evaluation_failed_at(
    rose: Any, worker: Any, failed: str, platform: Any, language: str, heading: str
) -> None:
    page = page_of(rose, platform, language)
    for shown in (heading, "It printed nothing.", "Traceback: the label said HIDDEN", "nsmlctl dataset rescore kin"):
        assert shown in page
    push(rose, MENDED)
    rescore(rose)
    worker.score({"score": 0.5})
    assert heading not in page_of(rose, platform, language)


def test_the_page_shows_nothing_of_it_to_anybody_else(mina: Any, stranger: Any, failed: str, platform: Any) -> None:
    visited = mina.client.get("/leaderboard/kin", headers={"Accept": "text/html"}).text
    for page in (page_of(mina, platform), page_of(stranger, platform), visited):
        assert "HIDDEN" not in page
        assert "Problems of the evaluation" not in page


def test_an_administrator_may_do_it_too(rose: Any, join: Any, worker: Any, failed: str) -> None:
    push(rose, MENDED)
    admin = join("root", admin=True)
    assert rescore(admin).json()["rescorings"][0]["asked_by"] == "root"
