"""Bad input gets a sentence that names the thing, and leaves nothing behind."""

from typing import Any

import pytest

from nsml_server.settings import Settings


def error_of(answer: Any) -> dict[str, Any]:
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"code", "message", "hint", "details"}
    return error


def test_a_missing_entry_is_named_and_the_candidates_are_listed(mina: Any) -> None:
    mina.push()
    refused = mina.run(entry="trian.py")
    error = error_of(refused)
    assert refused.status_code == 422
    assert "trian.py" in error["message"]
    assert error["details"]["candidates"] == ["main.py", "other.py"]
    assert mina.run().json()["number"] == 1


def test_an_unknown_dataset_names_the_nearest_and_lists_all(mina: Any) -> None:
    mina.push("kin_phase1")
    refused = mina.run("kin_phase2")
    error = error_of(refused)
    assert refused.status_code == 404
    assert "Did you mean kin_phase1?" in error["message"]
    assert error["details"]["datasets"] == ["kin_phase1"]


def test_a_checkpoint_that_does_not_exist_lists_those_that_do(mina: Any, trained: str) -> None:
    refused = mina.submit(trained, "epoch-77")
    assert refused.status_code == 404
    assert error_of(refused)["details"]["checkpoints"] == ["1", "2"]


def test_a_running_session_without_a_checkpoint_says_that_it_has_none_yet(mina: Any, worker: Any) -> None:
    mina.push()
    worker.hello()
    name = mina.run().json()["name"]
    attempt = worker.take_one()
    attempt.tell("started")
    assert "yet: it is running" in error_of(mina.submit(name))["message"]
    attempt.save("1")
    assert mina.submit(name).status_code == 201
    attempt.end()


def test_a_session_that_saved_nothing_says_so(mina: Any, worker: Any) -> None:
    mina.push()
    worker.hello()
    name = mina.run().json()["name"]
    attempt = worker.take_one()
    attempt.end()
    error = error_of(mina.submit(name))
    assert "saved no checkpoint" in error["message"]
    assert "nsml.save" in error["hint"]


def test_a_session_that_failed_before_it_could_save_says_why(mina: Any, worker: Any) -> None:
    mina.push()
    worker.hello()
    name = mina.run().json()["name"]
    worker.take_one().end("environment_failed", detail="no numpyy")
    error = error_of(mina.submit(name))
    assert "saved no checkpoint" in error["message"]
    assert "could not be installed: no numpyy" in error["hint"]
    asked = error_of(mina.call("POST", f"/sessions/{name}/ask", json={"do": "exec", "code": "x"}))
    assert asked["hint"] == error["hint"], "there is no checkpoint to start one from"


def test_a_session_without_a_dataset_cannot_be_submitted(mina: Any) -> None:
    name = mina.run(None).json()["name"]
    assert name == "mina/None/1"
    assert error_of(mina.submit(name))["code"] == "no_dataset"


def test_a_dataset_without_a_leaderboard_cannot_be_submitted_to(mina: Any, worker: Any) -> None:
    mina.push("open", leaderboard=False)
    worker.hello()
    name = mina.run("open").json()["name"]
    attempt = worker.take_one()
    assert "test/test_label" in attempt.mounted("/data/open")
    attempt.save("1")
    assert error_of(mina.submit(name))["code"] == "no_leaderboard"


def test_an_upload_too_large_names_the_file_and_the_limit(mina: Any) -> None:
    size = Settings().file_bytes + 1
    tree = {"files": [{"path": "huge.bin", "size": size, "hash": "0" * 64, "mode": 0o644}]}
    refused = mina.call("POST", "/sessions", json={"code": tree, "entry": "huge.bin"})
    assert refused.status_code == 413
    assert "huge.bin" in error_of(refused)["message"]
    assert "MiB" in error_of(refused)["message"]


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a\x00b", "a\u202eb", "con.txt", "a\\b", "a//b"])
def test_a_path_that_leads_out_is_refused_by_name(mina: Any, path: str) -> None:
    tree = {"files": [{"path": path, "size": 0, "hash": "0" * 64, "mode": 0o644}]}
    refused = mina.call("POST", "/sessions", json={"code": tree, "entry": path})
    assert refused.status_code == 422
    assert "path" in error_of(refused)["message"]


def test_arguments_with_an_open_quotation_mark(mina: Any) -> None:
    refused = mina.run(None, args='--name "x')
    assert refused.status_code == 422
    assert "quotation" in error_of(refused)["hint"] + error_of(refused)["message"]


def test_bytes_that_were_not_uploaded_are_named(mina: Any) -> None:
    tree = {"files": [{"path": "main.py", "size": 3, "hash": "ab" * 32, "mode": 0o644}]}
    refused = mina.call("POST", "/sessions", json={"code": tree, "entry": "main.py"})
    assert error_of(refused)["details"]["missing"] == ["ab" * 32]


def test_bytes_that_are_not_what_their_hash_says_are_not_kept(mina: Any) -> None:
    name = "ab" * 32
    assert error_of(mina.call("PUT", f"/blobs/{name}", content=b"else"))["code"] == "hash_mismatch"
    assert mina.call("POST", "/blobs/missing", json={"hashes": [name]}).json() == {"missing": [name]}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 422),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"code": {"files": []}, "entry": 5}', 422),
        (b'{"code": {"files": []}, "surprise": 1}', 422),
        (b'{"code": {"files": []}, "gpus": -1}', 422),
        (b'{"code": {"files": []}, "cpus": 1e400}', 422),
        (b'{"code": {"files": [{"path": "\\ud800", "size": 0, "hash": "x"}]}}', 422),
    ],
)
def test_malformed_json_gets_a_reason_and_no_more(mina: Any, body: bytes, status: int) -> None:
    answer = mina.call("POST", "/sessions", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert error_of(answer)["message"]


def test_a_request_beyond_the_limit_is_cut_off(app: Any, mina: Any, platform: Any) -> None:
    body = b"[" + b" " * platform.settings.request_bytes + b"]"
    answer = mina.call("POST", "/blobs/missing", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/nothing", "/sessions/mina/kin/0", "/sessions/mina/kin/x", "/datasets/none"])
def test_what_is_not_there_is_told_in_the_same_shape(mina: Any, path: str) -> None:
    answer = mina.call("GET", path)
    assert answer.status_code in (404, 422)
    assert error_of(answer)["message"]


def test_a_dataset_without_labels_is_told_at_the_push(mina: Any) -> None:
    refused = mina.push(files={"data_loader.py": b"def feed_infer(a, b): pass", "test/test_data": b"x"})
    assert refused.status_code == 422
    assert "test/test_label" in error_of(refused)["message"]
    assert mina.call("GET", "/datasets").json() == {"datasets": []}


ODD = "fetching\0\u202e"  # PostgreSQL keeps no NUL, and the other turns a line round


def test_a_workers_own_words_are_kept_so_that_they_can_be_shown(mina: Any, worker: Any) -> None:
    worker.hello()
    name = mina.run(None).json()["name"]
    attempt = worker.take_one()
    assert attempt.tell("preparing", {"text": ODD}).status_code == 200
    assert mina.session(name)["message"] == r"fetching\x00\u202e"
    assert attempt.end("environment_failed", detail=ODD).status_code == 200
    assert r"fetching\x00\u202e" in mina.session(name)["message"]
