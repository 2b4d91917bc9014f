"""Workers and a server of different versions: what one does not know is passed over, and the difference is told."""

from typing import Any

import pytest

from nsml_server.version import VERSION

OFFER = {"cpus": 2, "memory": 2**33, "images": ["default"], "confinement": "bubblewrap", "runner": "process"}
AHEAD = "999.0"


def machine(person: Any) -> Any:
    (node,) = person.call("GET", "/nodes").json()["nodes"]
    return node


@pytest.fixture
def newer(worker: Any) -> Any:
    """A worker one version ahead: it says more of everything."""
    capacity = {**OFFER, "version": AHEAD, "tpus": [{"cores": 8}]}
    answer = worker.call("hello", {"capacity": capacity, "boxes": [], "mood": "well", "zone": {"rack": 3}})
    assert answer.status_code == 200, answer.text
    assert answer.json()["version"] == VERSION
    assert "newer than the server" in answer.json()["advice"]
    return worker


def test_a_newer_worker_is_alive_and_works(mina: Any, newer: Any) -> None:
    name = mina.run(None).json()["name"]
    attempt = newer.take_one()
    use = {str(attempt.run_id): {"memory": 5, "power": 250.5}}
    body = {"boxes": [[attempt.run_id, 1]], "use": use, "load": [0.1], "capacity": {**OFFER, "version": AHEAD, "x": 1}}
    assert newer.call("heartbeat", body).status_code == 200
    assert mina.session(name)["use"]["memory"] == 5
    assert attempt.call("POST", "/blobs/missing", json={"hashes": [], "hint": "cold"}).status_code == 200
    events = [
        {"seq": 1, "kind": "started", "at": 1.0, "data": {"pid": 7}, "host": "rack3"},
        {"seq": 2, "kind": "migrated", "at": 2.0, "data": {"to": "rack4"}},
        {"seq": 3, "kind": "ended", "at": 3.0, "data": {"reason": "exited", "exit_code": 0, "joules": 12}},
    ]
    told = attempt.call("POST", "/events", json={"attempt": 1, "events": events, "clock": "tai"})
    assert told.json() == {"accepted": 3}
    assert mina.session(name)["state"] == "exited"
    node = machine(mina)
    assert (node["alive"], node["version"], node["skew"]) == (True, AHEAD, "newer")


def test_an_end_that_only_a_newer_worker_knows_is_nobody_s_fault_and_is_tried_again(mina: Any, newer: Any) -> None:
    name = mina.run(None).json()["name"]
    attempt = newer.take_one()
    attempt.tell("started")
    assert attempt.end("struck_by_lightning").status_code == 200
    assert mina.session(name)["state"] == "queued"


@pytest.mark.parametrize("facts", [{"reason": 7}, {"reason": "exited", "outputs": "all"}, {}])
def test_an_end_that_makes_no_sense_is_refused_with_the_version(mina: Any, newer: Any, facts: dict[str, Any]) -> None:
    mina.run(None)
    attempt = newer.take_one()
    attempt.tell("started")
    refused = attempt.tell("ended", facts)
    assert refused.status_code == 422
    assert f"This server is {VERSION}" in refused.json()["error"]["hint"]


def test_a_newer_machine_may_join(join: Any, client: Any) -> None:
    token = join("root", admin=True).call("POST", "/join-tokens", json={}).json()["token"]
    body = {"name": "rack1", "version": AHEAD, "arch": "riscv64"}
    answer = client.post("/agent/v1/nodes", json=body, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 201


@pytest.mark.parametrize(("told", "shown"), [({}, ""), ({"version": "0.0.1"}, "0.0.1")])
def test_an_older_worker_works_and_is_told_plainly(mina: Any, worker: Any, told: dict[str, str], shown: str) -> None:
    answer = worker.hello(**told)
    assert "older than the server" in answer["advice"]
    assert answer["advice"].endswith("update the worker.")
    node = machine(mina)
    assert (node["alive"], node["version"], node["skew"]) == (True, shown, "older")
    mina.run(None)
    assert worker.train().number == 1


def test_of_the_same_version_nothing_is_said(mina: Any, worker: Any) -> None:
    assert worker.hello(version=VERSION)["advice"] is None
    assert machine(mina)["skew"] is None


def test_people_s_requests_stay_strict(mina: Any) -> None:
    assert mina.run(None, colour="red").status_code == 422
