"""A dataset changed without pushing its files again, and the limit it may set for models."""

from typing import Any

import pytest

WARNING = "NSML Warning) Cannot upload models over 20.0"


def change(person: Any, name: str = "kin", **wish: Any) -> Any:
    return person.call("PATCH", f"/datasets/{name}", json=wish)


def submit(mina: Any, worker: Any, session: str, score: float) -> None:
    mina.submit(session)
    worker.predict()
    worker.score({"score": score})


def board(person: Any) -> list[float]:
    return [entry["score"] for entry in person.call("GET", "/datasets/kin/board").json()["entries"]]


def test_only_what_is_named_changes(mina: Any, trained: str) -> None:
    before = mina.call("GET", "/datasets/kin").json()
    answer = change(mina, description="questions in pairs", pull_models=False, max_model_bytes=1000)
    assert answer.status_code == 200
    after = answer.json()
    named = ("description", "pull_models", "max_model_bytes")
    assert [after[name] for name in named] == ["questions in pairs", False, 1000]
    rest = {name: value for name, value in before.items() if name not in (*named, "updated_at")}
    assert {name: after[name] for name in rest} == rest
    assert change(mina, max_model_bytes=None).json()["max_model_bytes"] is None


def test_only_an_administrator_gives_trainings_a_network(mina: Any, join: Any, worker: Any, trained: str) -> None:
    refused = change(mina, network="open")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
    admin = join("root", admin=True)
    assert change(admin, network="a b").status_code == 422
    assert change(admin, network="open").json()["network"] == "open"
    mina.run()
    assert worker.take_one().spec["network"] == "open"
    assert change(mina, network=None).json()["network"] is None  # taking it away needs no administrator


def test_what_a_new_push_does_not_say_stays(mina: Any, trained: str) -> None:
    change(mina, pull_models=False, max_model_bytes=1000)
    pushed = mina.push(force=True).json()
    assert (pushed["version"], pushed["pull_models"], pushed["max_model_bytes"]) == (2, False, 1000)
    pushed = mina.push(force=True, pull_models=True, max_model_bytes=2000).json()
    assert (pushed["pull_models"], pushed["max_model_bytes"]) == (True, 2000)


def test_another_order_turns_the_board_round(mina: Any, stranger: Any, worker: Any, trained: str) -> None:
    submit(mina, worker, trained, 0.9)
    submit(mina, worker, trained, 0.4)
    assert board(mina) == [0.9]
    assert change(mina, order="ascending").json()["version"] == 1
    assert board(mina) == [0.4]


def test_another_metric_is_a_new_version_of_the_same_files_and_old_scores_leave_the_board(
    mina: Any, worker: Any, trained: str
) -> None:
    submit(mina, worker, trained, 0.9)
    mina.submit(trained)
    changed = change(mina, metric="mse").json()
    assert (changed["metric"], changed["order"], changed["version"]) == ("mse", "ascending", 2)
    assert board(mina) == []
    worker.predict()
    worker.score({"score": 0.8})
    assert board(mina) == [], "it was measured by the metric of its time"
    submit(mina, worker, trained, 0.25)
    assert board(mina) == [0.25]
    ranks = {row["score"]: row["rank"] for row in mina.call("GET", "/submissions").json()["submissions"]}
    assert ranks == {0.9: None, 0.8: None, 0.25: 1}
    assert change(mina, metric="accuracy").json()["version"] == 3
    assert board(mina) == [0.9]


def test_a_scoring_uses_the_new_metric(mina: Any, worker: Any, trained: str) -> None:
    change(mina, metric="mse")
    mina.submit(trained)
    worker.predict()
    assert worker.take_one().spec["argv"][2:4] == ["--metric", "mse"]


def test_a_dataset_that_gets_a_board_hides_its_test_from_then_on(mina: Any, worker: Any) -> None:
    mina.push(leaderboard=False)
    assert change(mina, leaderboard=True).json()["version"] == 2
    worker.hello()
    mina.run()
    assert "test/test_data" not in worker.take_one().mounted("/data/kin")
    assert change(mina, leaderboard=False).json()["leaderboard"] is False
    mina.run()
    assert "test/test_data" not in worker.take_one().mounted("/data/kin"), "what was hidden stays hidden"


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"metric": "luck"}, "no metric"),
        ({"order": "up"}, "not an order"),
        ({"metric": "custom"}, "evaluation.py"),
        ({"owner": "mina"}, "owner"),
        ({"max_model_bytes": -1}, "max_model_bytes"),
    ],
)
def test_a_change_that_cannot_be_is_refused_and_changes_nothing(
    mina: Any, trained: str, wish: dict[str, Any], said: str
) -> None:
    before = mina.call("GET", "/datasets/kin").json()
    refused = change(mina, description="new", **wish)
    assert refused.status_code == 422
    assert said in refused.json()["error"]["message"]
    assert mina.call("GET", "/datasets/kin").json() == before


def test_only_its_owner_and_administrators_change_a_dataset(mina: Any, stranger: Any, join: Any, trained: str) -> None:
    assert change(stranger, description="mine now").status_code == 403
    assert change(join("root", admin=True), description="tidied").json()["description"] == "tidied"


def test_a_model_beyond_the_limit_is_not_kept_and_the_training_goes_on(mina: Any, worker: Any) -> None:
    mina.push(max_model_bytes=20)
    worker.hello()
    name = mina.run().json()["name"]
    attempt = worker.take_one()
    attempt.tell("started")
    attempt.write("log", 0, b"epoch 1\n")
    attempt.save("big", files={"model": b"x" * 21})
    attempt.save("small", files={"model": b"x" * 20})
    answer = mina.call("GET", f"/sessions/{name}/checkpoints").json()
    assert [checkpoint["name"] for checkpoint in answer["checkpoints"]] == ["small"]
    (notice,) = answer["notices"]
    assert notice.startswith(WARNING)
    assert mina.session(name)["state"] == "running"
    assert attempt.write("log", 8, b"epoch 2\n").status_code == 200
    attempt.end()
    log = mina.call("GET", f"/sessions/{name}/log").text
    assert log.startswith("epoch 1\nepoch 2\n")
    assert WARNING in log


def test_a_checkpoint_that_the_worker_did_not_take_is_told_with_the_session_and_in_its_log(
    mina: Any, worker: Any, stranger: Any
) -> None:
    mina.push()
    worker.hello()
    name = mina.run().json()["name"]
    attempt = worker.take_one()
    attempt.tell("started")
    attempt.tell("checkpoint", {"name": "a\x1b[31m", "refused": "it has more than 20000 files\n", "folder": "c1"})
    attempt.tell(
        "checkpoint", {"name": "b/../c", "tree": {"files": []}, "summary": {}, "saved_at": 1.0, "folder": "c2"}
    )
    attempt.save("good")
    (first, second) = mina.session(name)["notices"]
    assert first == 'The checkpoint "a\\x1b[31m" was not kept: it has more than 20000 files\\n.'
    assert second.startswith('The checkpoint name "b/../c"')
    assert stranger.call("GET", f"/sessions/{name}").status_code == 404
    assert [row["name"] for row in mina.call("GET", f"/sessions/{name}/checkpoints").json()["checkpoints"]] == ["good"]
    attempt.end()
    assert first in mina.call("GET", f"/sessions/{name}/log").text


def test_one_checkpoint_more_than_a_session_keeps_is_told(mina: Any, worker: Any, platform: Any) -> None:
    object.__setattr__(platform.settings, "checkpoints", 2)
    mina.push()
    worker.hello()
    name = mina.run().json()["name"]
    attempt = worker.take_one()
    attempt.tell("started")
    for number in range(4):
        attempt.save(str(number))
    assert mina.session(name)["notices"] == ["A session keeps at most 2 checkpoints."]
    assert mina.session(name)["checkpoints"] == 2


def test_a_session_that_saved_only_too_much_says_so_when_it_is_submitted(mina: Any, worker: Any) -> None:
    mina.push(max_model_bytes=20)
    worker.hello()
    name = mina.run().json()["name"]
    attempt = worker.take_one()
    attempt.tell("started")
    attempt.save("big", files={"model": b"x" * 21})
    attempt.end()
    assert WARNING in mina.submit(name).json()["error"]["hint"]
