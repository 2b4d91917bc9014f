"""How machines come and go: join tokens, draining, removal."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from nsml_server.app import create_app
from nsml_server.settings import Settings
from nsml_server.storage.repositories import nodes as node_rows

RACERS = 5


def join_as(client: Any, token: str, name: str) -> Any:
    return client.post("/agent/v1/nodes", json={"name": name}, headers={"Authorization": f"Bearer {token}"})


def join_token(admin: Any, **wish: Any) -> str:
    answer = admin.call("POST", "/join-tokens", json=wish)
    assert answer.status_code == 201
    return str(answer.json()["token"])


def offer(client: Any, joined: dict[str, str]) -> Any:
    headers = {"Authorization": f"Bearer {joined['token']}"}
    body = {"capacity": {"cpus": 2, "memory": 2**33, "images": ["default"]}, "boxes": []}
    return client.post(f"/agent/v1/nodes/{joined['node']}/hello", json=body, headers=headers)


def test_a_join_token_makes_one_machine_a_node_once(join: Any, client: Any) -> None:
    token = join_token(join("root", admin=True))
    joined = join_as(client, token, "rack1")
    assert joined.status_code == 201
    assert joined.json()["broker_url"] == "redis://127.0.0.1:6379/0"
    assert offer(client, joined.json()).status_code == 200
    again = join_as(client, token, "rack2")
    assert again.status_code == 401
    assert "used already" in again.json()["error"]["message"]


def test_of_machines_that_race_with_one_token_exactly_one_wins(join: Any, client: Any, platform: Any) -> None:
    token = join_token(join("root", admin=True))
    start = threading.Barrier(RACERS)

    def race(number: int) -> int:
        start.wait()
        return int(join_as(client, token, f"rack{number}").status_code)

    with ThreadPoolExecutor(RACERS) as pool:
        answers = sorted(pool.map(race, range(RACERS)))
    assert answers == [201, *[401] * (RACERS - 1)]
    with platform.database.read() as tx:
        assert len(node_rows.all_nodes(tx)) == 1, "who lost has left nothing"


def test_of_machines_that_race_under_one_name_with_the_operators_token_one_stays(platform: Any, tmp_path: Path) -> None:
    file = tmp_path / "join"
    file.write_text("a shared secret\n")
    knowing = replace(platform, settings=platform.settings.model_copy(update={"join_token_file": file}))
    client, start = TestClient(create_app(knowing)), threading.Barrier(RACERS)

    def race(_: int) -> Any:
        start.wait()
        joined = join_as(client, "a shared secret", "rack1")
        return joined.json() if joined.status_code == 201 else None

    with ThreadPoolExecutor(RACERS) as pool:
        joined = [answer for answer in pool.map(race, range(RACERS)) if answer]
    assert joined
    assert sorted(offer(client, one).status_code for one in joined) == [200, *[401] * (len(joined) - 1)]


def test_nobody_but_an_administrator_makes_join_tokens_or_changes_machines(mina: Any, worker: Any) -> None:
    worker.hello()
    assert mina.call("POST", "/join-tokens", json={}).status_code == 403
    assert mina.call("PATCH", "/nodes/node-1", json={"drained": True}).status_code == 403
    assert mina.call("DELETE", "/nodes/node-1").status_code == 403


def test_a_join_token_runs_out_and_opens_nothing_else(join: Any, client: Any, clock: Any) -> None:
    token = join_token(join("root", admin=True))
    assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    clock.move(24 * 3600 + 1)
    assert join_as(client, token, "rack1").status_code == 401


def test_a_token_for_a_name_lets_in_that_name_even_when_it_was_here_before(join: Any, client: Any) -> None:
    admin = join("root", admin=True)
    first = join_as(client, join_token(admin), "rack1").json()
    offer(client, first)
    token = join_token(admin, name="rack1")
    assert join_as(client, token, "rack2").status_code == 401
    second = join_as(client, token, "rack1").json()
    assert offer(client, first).status_code == 401
    assert offer(client, second).status_code == 200


def test_a_name_that_is_here_is_not_taken_over_by_a_token_for_any_name(join: Any, client: Any, clock: Any) -> None:
    admin = join("root", admin=True)
    offer(client, join_as(client, join_token(admin), "rack1").json())
    token = join_token(admin)
    refused = join_as(client, token, "rack1")
    assert refused.status_code == 409
    assert "is here already" in refused.json()["error"]["message"]
    clock.move(3600)  # it has been silent since: the machine was set up anew
    assert join_as(client, token, "rack1").status_code == 201


@pytest.mark.parametrize("name", ["", "../x", "a b", "x" * 100])
def test_a_machine_has_a_name_like_a_user(join: Any, client: Any, name: str) -> None:
    assert join_as(client, join_token(join("root", admin=True)), name).status_code == 422


def test_the_operators_own_token_lets_in_every_machine_that_knows_it(platform: Any, tmp_path: Path) -> None:
    file = tmp_path / "join"
    file.write_text("a shared secret\n")
    knowing = replace(platform, settings=platform.settings.model_copy(update={"join_token_file": file}))
    client = TestClient(create_app(knowing))
    assert [join_as(client, "a shared secret", name).status_code for name in ("rack1", "rack2")] == [201, 201]
    assert join_as(client, "a guess", "rack3").status_code == 401


def test_a_machine_asks_where_its_queue_is(join: Any, client: Any) -> None:
    joined = join_as(client, join_token(join("root", admin=True)), "rack1").json()
    headers = {"Authorization": f"Bearer {joined['token']}"}
    told = client.get("/agent/v1/nodes/rack1", headers=headers).json()
    assert told == {"node": "rack1", "alive": False, "broker_url": joined["broker_url"]}
    offer(client, joined)
    assert client.get("/agent/v1/nodes/rack1", headers=headers).json()["alive"]
    assert client.get("/agent/v1/nodes/rack2", headers=headers).status_code == 401


def test_a_drained_machine_goes_on_with_what_it_has_and_gets_nothing_new(join: Any, mina: Any, worker: Any) -> None:
    admin = join("root", admin=True)
    worker.hello()
    mina.run(None)
    attempt = worker.take_one()
    assert admin.call("PATCH", "/nodes/node-1", json={"drained": True}).json()["drained"]
    mina.run(None)
    assert worker.take() == []
    attempt.tell("started")
    assert attempt.end().status_code == 200
    admin.call("PATCH", "/nodes/node-1", json={"drained": False})
    assert len(worker.take()) == 1


def test_a_machine_with_runs_is_removed_by_force_only_and_they_are_queued_again(
    join: Any, mina: Any, worker: Any
) -> None:
    admin = join("root", admin=True)
    worker.hello()
    name = mina.run(None).json()["name"]
    worker.take_one().tell("started")
    refused = admin.call("DELETE", "/nodes/node-1")
    assert refused.status_code == 409
    assert "1 run is on node-1" in refused.json()["error"]["message"]
    assert admin.call("DELETE", "/nodes/node-1", params={"force": True}).status_code == 204
    assert mina.session(name)["state"] == "queued"
    assert worker.call("heartbeat", {"boxes": []}).status_code == 401
    assert admin.call("GET", "/nodes").json() == {"nodes": []}
    assert admin.call("DELETE", "/nodes/node-1").status_code == 404


def test_workers_are_told_the_broker_as_they_reach_it_with_its_password(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("p@ss/word\n")
    settings = Settings(
        database_url="postgresql+psycopg://nsml@postgres/nsml",
        database_password_file=tmp_path / "secret",
        broker_url="redis://redis:6379/0",
        worker_broker_url="redis://platform.example:6379/0",
        broker_password_file=tmp_path / "secret",
    )
    assert settings.database == "postgresql+psycopg://nsml:p%40ss%2Fword@postgres/nsml"
    assert settings.broker == "redis://:p%40ss%2Fword@redis:6379/0"
    assert settings.worker_broker == "redis://:p%40ss%2Fword@platform.example:6379/0"
