"""What is read back: code, checkpoints, docker's words, the command, machines; and what is taken away by a pattern."""

from typing import Any

import pytest

FOREVER = "0001-01-01T00:00:00Z"


def test_the_code_is_read_back_as_it_was_uploaded(mina: Any, trained: str) -> None:
    tree = mina.call("GET", f"/sessions/{trained}/code").json()
    assert sorted(file["path"] for file in tree["files"]) == ["lib/deep.py", "main.py", "other.py"]
    answer = mina.call("GET", f"/sessions/{trained}/code/other.py")
    assert answer.content == b"print('other')\n"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''other.py"
    assert mina.call("GET", f"/sessions/{trained}/code/lib/deep.py").content == b""


@pytest.mark.parametrize("path", ["gone.py", "%2e%2e/%2e%2e/etc/passwd", "lib", "/main.py"])
def test_a_path_that_is_not_in_the_code_is_not_found(mina: Any, trained: str, path: str) -> None:
    assert mina.call("GET", f"/sessions/{trained}/code/{path}").status_code == 404


def test_a_checkpoint_is_taken_home(mina: Any, trained: str) -> None:
    (file,) = mina.call("GET", f"/sessions/{trained}/checkpoints/1/tree").json()["files"]
    assert file["path"] == "model"
    assert mina.call("GET", f"/sessions/{trained}/checkpoints/1/model").content == b"weights of 1"
    assert mina.call("GET", f"/sessions/{trained}/checkpoints/9/model").json()["error"]["code"] == "no_such_checkpoint"


def test_a_model_stays_where_the_organiser_forbids_taking_it(mina: Any, trained: str) -> None:
    assert mina.push(force=True, pull_models=False).json()["pull_models"] is False
    refused = mina.call("GET", f"/sessions/{trained}/checkpoints/1/model")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "pull_forbidden")
    assert mina.call("GET", f"/sessions/{trained}/checkpoints/1/tree").status_code == 200
    assert mina.call("GET", f"/sessions/{trained}/code/main.py").status_code == 200


def test_checkpoints_go_by_a_pattern_and_what_refers_to_them_stays(mina: Any, worker: Any) -> None:
    mina.push()
    worker.hello()
    name = mina.run().json()["name"]
    worker.train(epoch1={}, epoch2={}, best={})
    submitted = mina.submit(name, "epoch1").json()["id"]
    removed = mina.call("DELETE", f"/sessions/{name}/checkpoints?name=epoch%3F")
    assert removed.json() == {"removed": ["epoch1", "epoch2"]}
    left = mina.call("GET", f"/sessions/{name}/checkpoints").json()["checkpoints"]
    assert [checkpoint["name"] for checkpoint in left] == ["best"]
    again = mina.call("DELETE", f"/sessions/{name}/checkpoints?name=epoch*")
    assert (again.status_code, again.json()["error"]["hint"]) == (404, "It has: best.")
    worker.predict()
    worker.score({"score": 1.0})
    assert mina.submission(submitted)["state"] == "scored"


def test_sessions_go_by_a_pattern_all_or_none(mina: Any, worker: Any, trained: str) -> None:
    mina.run()
    busy = mina.call("DELETE", "/sessions?name=mina/kin/*")
    assert busy.status_code == 409
    assert len(mina.call("GET", "/sessions").json()["sessions"]) == 2
    forced = mina.call("DELETE", "/sessions?name=kin/*&force=1")
    assert forced.json() == {"removed": ["mina/kin/2", trained]}
    assert mina.call("GET", "/sessions?all=1").json()["sessions"] == []
    assert worker.take() == [], "what waited is not started any more"


def test_a_session_that_runs_is_stopped_when_it_is_removed_by_force(mina: Any, worker: Any) -> None:
    mina.push()
    worker.hello()
    name = mina.run().json()["name"]
    attempt = worker.take_one()
    attempt.tell("started")
    assert mina.call("DELETE", f"/sessions/{name}?force=1").status_code == 204
    assert worker.heartbeat([attempt.run_id, 1])["stop"] == [[attempt.run_id, 1, "stopped"]]
    assert attempt.end("stopped").status_code == 200


@pytest.mark.parametrize("address", ["/sessions/mina/kin/1?", "/sessions?name=kin/*&"])
def test_submits_that_go_on_are_ended_with_a_session_that_is_removed_by_force(
    mina: Any, worker: Any, trained: str, address: str
) -> None:
    mina.submit(trained)
    attempt = worker.take_one()
    attempt.tell("started")
    mina.submit(trained)
    going = mina.session(trained)["open_submissions"]
    assert [(one["id"], one["kind"], one["state"]) for one in going] == [
        (2, "submit", "queued"),
        (1, "submit", "predicting"),
    ]
    refused = mina.call("DELETE", address)
    assert refused.status_code == 409
    assert f"nsmlctl submit --cancel {trained}" in refused.json()["error"]["hint"]
    assert mina.call("DELETE", f"{address}force=1").status_code in (200, 204)
    assert [mina.submission(number)["state"] for number in (1, 2)] == ["cancelled", "cancelled"]
    assert worker.heartbeat([attempt.run_id, 1])["stop"] == [[attempt.run_id, 1, "stopped"]]
    assert worker.take() == []


def test_nobody_elses_sessions_go_by_a_pattern(stranger: Any, trained: str) -> None:
    for pattern in ("*", "*/*/*", trained):
        assert stranger.call("DELETE", "/sessions", params={"name": pattern}).status_code == 404


def test_inspect_tells_a_session_in_dockers_words(mina: Any, worker: Any) -> None:
    mina.push()
    worker.hello()
    name = mina.run().json()["name"]

    def look(*words: str) -> list[Any]:
        told = mina.call("GET", f"/sessions/{name}/inspect").json()
        return [told[word] for word in words]

    assert look("Status", "Running", "StartedAt", "FinishedAt", "Pid") == ["created", False, FOREVER, FOREVER, 0]
    attempt = worker.take_one()
    attempt.tell("started")
    attempt.tell("paused")
    assert look("Status", "Running", "Paused") == ["paused", True, True]
    attempt.end("out_of_memory", signal=9)
    assert look("Status", "Running", "OOMKilled", "ExitCode") == ["exited", False, True, 137]
    assert look("Error") != [""]
    assert look("StartedAt") != [FOREVER]


def test_a_command_starts_the_same_again(mina: Any, worker: Any, trained: str) -> None:
    name = mina.run(args="--lr 0.1 --name 'a b'", memory=2**30).json()["name"]
    fork = mina.call("POST", f"/sessions/{trained}/fork", json={"args": "--lr 1"}).json()["name"]
    serve = mina.call("POST", f"/sessions/{trained}/infer", json={"checkpoint": "1"}).json()["name"]
    assert [mina.call("GET", f"/sessions/{one}/command").json()["command"] for one in (name, fork, serve)] == [
        """nsmlctl run -d kin -a '--lr 0.1 --name '"'"'a b'"'"'' -e main.py -g 0 -c 1 --memory 1073741824""",
        f"nsmlctl fork -a '--lr 1' -c 2 {trained}",
        f"nsmlctl infer -d kin {trained} 1",
    ]


def test_machines_are_shown_with_what_is_taken_of_them_and_not_by_whom(mina: Any, worker: Any) -> None:
    mina.push()
    worker.hello(gpus=[{"uuid": "GPU-1", "model": "P40", "memory": 1}, {"uuid": "GPU-2", "model": "P40", "memory": 1}])
    mina.run(gpus=1)
    worker.take_one()
    (node,) = mina.call("GET", "/nodes").json()["nodes"]
    assert (node["name"], node["cpus"], node["used_cpus"], node["gpus"], node["used_gpus"]) == ("node-1", 2, 1, 2, 1)
    assert [device["used"] for device in node["devices"]] == [True, False]
    assert "mina" not in str(node)


def test_an_organiser_reads_back_what_was_pushed_and_nobody_else(mina: Any, stranger: Any) -> None:
    mina.push()
    assert len(mina.call("GET", "/datasets/kin/tree").json()["files"]) == 5
    assert mina.call("GET", "/datasets/kin/files/test/test_label").content == b"1\n0\n1\n"
    assert stranger.call("GET", "/datasets/kin/files/train/train_data").json()["error"]["code"] == "forbidden"


def test_the_platform_tells_the_limits_of_datasets(client: Any) -> None:
    limits = client.get("/api/v1/platform").json()["limits"]
    assert limits["dataset_files"] == 1_000_000
    assert limits["dataset_bytes"] > limits["dataset_file_bytes"] > 0
