"""What is somebody's is nobody else's: every route, without a token, with a stranger's, with a worker's."""

from typing import Any

import pytest
from fastapi.routing import APIRoute

PUBLIC = {"/api/v1/platform", "/api/v1/openapi.json"}
# Routes a stranger may use: they are about the stranger, or about what everybody may see.
OF_EVERYBODY = {
    "/api/v1/me", "/api/v1/users", "/api/v1/nodes", "/api/v1/nodes/{name}", "/api/v1/join-tokens",
    "/api/v1/login-links", "/api/v1/blobs/missing", "/api/v1/blobs/{name}",
    "/api/v1/packs", "/api/v1/sessions", "/api/v1/submissions", "/api/v1/datasets", "/api/v1/datasets/{name}",
    "/api/v1/datasets/{name}/board", "/api/v1/datasets/{name}/tree", "/api/v1/datasets/{name}/files/{path}",
    "/api/v1/datasets/{name}/rescore", "/api/v1/datasets/{name}/rescorings", "/api/v1/datasets/{name}/problems",
    "/api/v1/images", "/api/v1/images/{name}", "/api/v1/credit", "/api/v1/credit/grants", "/api/v1/credit/schedules/{schedule}",
}  # fmt: skip
BODIES = {"PATCH": {"memo": "stolen"}}
QUERIES = {"DELETE": "?name=*"}


def routes(app: Any, prefix: str) -> list[tuple[str, str]]:
    """(method, path) of everything below a prefix, also of routers within routers."""
    paths = app.openapi()["paths"]
    return [(method.upper(), path) for path, item in paths.items() if path.startswith(prefix) for method in item]


def fill(path: str) -> str:
    values = {
        "user": "mina",
        "dataset": "kin",
        "number": "1",
        "name": "kin",
        "run_id": "1",
        "stream": "log",
        "path": "main.py",
        "schedule": "1",
    }
    values["name"] = "ab" * 32 if "/blobs/" in path else "node-1" if "/nodes/" in path else "kin"
    return path.format(**values)


@pytest.fixture
def submitted(mina: Any, worker: Any, trained: str) -> str:
    mina.submit(trained)
    worker.predict()
    worker.score({"score": 1.0})
    return trained


def test_no_route_of_people_opens_without_a_token(app: Any, client: Any, submitted: str) -> None:
    walked = routes(app, "/api/v1")
    assert len(walked) >= 20
    for method, path in walked:
        answer = client.request(method, fill(path), json=BODIES.get(method, {}))
        assert path in PUBLIC or answer.status_code == 401, (method, path, answer.status_code)


def test_no_route_of_people_shows_a_stranger_what_is_minas(app: Any, submitted: str, stranger: Any) -> None:
    walked = [(method, path) for method, path in routes(app, "/api/v1") if path not in PUBLIC | OF_EVERYBODY]
    assert len(walked) >= 10
    for method, path in walked:
        body = {"do": "infer"} if path.endswith("/ask") else BODIES.get(method, {})
        answer = stranger.call(method, fill(path).removeprefix("/api/v1") + QUERIES.get(method, ""), json=body)
        assert answer.status_code == 404, (method, path, answer.status_code, answer.text)
        assert "mina/kin/1" not in answer.text.replace(fill(path), "") or "of yours" in answer.text


def test_lists_hold_ones_own_only(stranger: Any, submitted: str) -> None:
    assert stranger.call("GET", "/sessions?all=1").json() == {"sessions": []}
    assert stranger.call("GET", "/submissions").json() == {"submissions": []}
    assert stranger.call("GET", "/datasets/kin/board?mine=1").json()["entries"] == []


def test_a_stranger_can_neither_read_nor_overwrite_nor_remove_a_dataset(stranger: Any, submitted: str) -> None:
    assert stranger.call("GET", "/datasets/kin/tree").status_code == 403
    assert stranger.call("GET", "/datasets/kin/files/test/test_label").status_code == 403
    assert stranger.call("POST", "/datasets/kin/rescore", json={"all": True}).status_code == 403
    assert stranger.call("GET", "/datasets/kin/rescorings").status_code == 403
    assert stranger.call("GET", "/datasets/kin/problems").status_code == 403
    assert stranger.push("kin", force=True).status_code == 403
    assert stranger.call("DELETE", "/datasets/kin").status_code == 403


def test_no_route_of_workers_opens_to_people(app: Any, client: Any, mina: Any, submitted: str) -> None:
    walked = routes(app, "/agent/v1")
    assert len(walked) >= 10
    for method, path in walked:
        body = {"capacity": {}, "boxes": []} if path.endswith("hello") else {"boxes": []}
        body = {"hashes": []} if "/blobs/" in path else body
        body = {"name": "rack1"} if path.endswith("/nodes") else body
        body = {"attempt": 1, "events": []} if path.endswith("/events") else body
        for headers in ({}, {"Authorization": f"Bearer {mina.token}"}):
            answer = client.request(method, fill(path) + "?offset=0", json=body, headers=headers)
            assert answer.status_code == 401, (method, path, answer.text)


def test_a_nodes_token_opens_neither_runs_nor_other_nodes(
    client: Any, worker: Any, platform: Any, submitted: str
) -> None:
    headers = {"Authorization": f"Bearer {worker.token}"}
    assert client.post("/agent/v1/runs/1/claim", json={}, headers=headers).status_code == 401
    assert client.post("/agent/v1/nodes/node-2/heartbeat", json={"boxes": []}, headers=headers).status_code == 401
    assert client.get("/api/v1/sessions", headers=headers).status_code == 401


def test_a_runs_token_opens_no_other_run_and_nothing_once_it_has_ended(mina: Any, worker: Any, trained: str) -> None:
    mina.run()
    mina.run()
    first, second = worker.take()
    headers = {"Authorization": f"Bearer {first.token}"}
    assert first.client.post(f"/agent/v1/runs/{second.run_id}/claim", headers=headers).status_code == 401
    first.tell("started")
    first.end()
    assert first.call("POST", "/claim", json={}).status_code == 409
    assert first.call("GET", "/blobs/" + "0" * 64).status_code == 409


def test_a_hash_is_no_proof_of_having_the_bytes(mina: Any, stranger: Any, submitted: str) -> None:
    tree = mina.upload({"main.py": b"print('secret of mina')\n"})
    (file,) = tree["files"]
    assert stranger.call("POST", "/blobs/missing", json={"hashes": [file["hash"]]}).json() == {
        "missing": [file["hash"]]
    }
    refused = stranger.call("POST", "/sessions", json={"code": tree, "entry": "main.py"})
    assert refused.json()["error"]["code"] == "blobs_missing"


def test_every_route_is_walked(app: Any) -> None:
    """What is not in the OpenAPI document would not be walked: only pages are left out of it."""
    hidden = [r.path for r in app.routes if isinstance(r, APIRoute) and not r.include_in_schema]
    assert not [path for path in hidden if path.startswith(("/api/", "/agent/"))]
