"""GPUs are given by model and driver, watched while they are used, and named when they do nothing."""

from typing import Any

import pytest

from nsml_server.services import caps, credits
from nsml_server.settings import Settings

GPUS = [{"uuid": f"GPU-{n}", "model": "Tesla P40", "memory": 2**34, "driver": "418.67"} for n in range(2)]


@pytest.fixture
def running(mina: Any, worker: Any) -> Any:
    worker.hello(gpus=GPUS)
    mina.run(None, gpus=2)
    attempt = worker.take_one()
    attempt.tell("started")
    return attempt


def beat(worker: Any, attempt: Any, *busy: int, **more: Any) -> Any:
    use = {str(attempt.run_id): {"gpu_utilisation": list(busy), "gpu_memory": [2**20] * len(busy)}}
    return worker.call("heartbeat", {"boxes": [[attempt.run_id, attempt.number]], "use": use, **more})


def test_a_run_gets_its_devices_by_uuid(running: Any) -> None:
    assert running.spec["limits"]["gpus"] == ["GPU-0", "GPU-1"]
    assert running.spec["environment"]["NSML_GPU_NUM"] == "2"


def test_a_wish_that_no_machine_meets_is_refused_at_once(mina: Any, worker: Any) -> None:
    worker.hello(gpus=GPUS)
    refused = mina.run(None, gpus=1, gpu_model="A100")
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "never_fits")
    assert "there are Tesla P40 with driver 418.67" in refused.json()["error"]["message"]


def test_a_wish_that_makes_no_sense_is_told(mina: Any, worker: Any) -> None:
    assert mina.run(None, gpus=1, gpu_driver="newest").status_code == 422


def test_only_an_administrator_chooses_the_machine(mina: Any, join: Any, worker: Any) -> None:
    worker.hello()
    assert mina.run(None, node="node-1").status_code == 403
    operator = join("operator", admin=True)
    operator.run(None, node="node-1")
    assert worker.take_one().spec["session"] == "operator/None/1"


def test_what_a_run_uses_is_shown(mina: Any, worker: Any, running: Any) -> None:
    assert beat(worker, running, 80, 3).status_code == 200
    (node,) = mina.call("GET", "/nodes").json()["nodes"]
    assert [(device["used"], device["utilisation"]) for device in node["devices"]] == [(True, 80), (True, 3)]
    assert mina.session("mina/None/1")["use"]["gpu_utilisation"] == [80, 3]


def test_memory_and_processors_are_shown_of_a_run_without_gpus_too(mina: Any, worker: Any, platform: Any) -> None:
    worker.hello()
    name = mina.run(None).json()["name"]
    attempt = worker.take_one()
    attempt.tell("started")
    seen = platform.notices.version(f"session:{attempt.run_id}")
    body = {"boxes": [[attempt.run_id, 1]], "use": {str(attempt.run_id): {"memory": 2**20, "cpu": 1.25}}}
    assert worker.call("heartbeat", body).status_code == 200
    use = mina.session(name)["use"]
    assert (use["memory"], use["cpu"], use["gpu_utilisation"]) == (2**20, 1.25, [])
    (node,) = mina.call("GET", "/nodes").json()["nodes"]
    assert (node["used_memory"], node["busy_cpus"]) == (2**20, 1.25)
    assert platform.notices.version(f"session:{attempt.run_id}") > seen, "an open page shows it"
    attempt.end()
    (node,) = mina.call("GET", "/nodes").json()["nodes"]
    assert (node["used_memory"], node["busy_cpus"]) == (None, None)


def test_one_idle_device_for_an_hour_makes_a_zombie_and_work_wakes_it(
    mina: Any, worker: Any, running: Any, clock: Any
) -> None:
    for _ in range(181):
        beat(worker, running, 90, 0)
        clock.move(20)
    session = mina.session("mina/None/1")
    assert (session["status"], session["state"]) == ("Zombie", "running")
    assert "does nothing" in session["message"]
    beat(worker, running, 90, 1)
    assert mina.session("mina/None/1")["status"] == "Running"


def test_a_device_without_a_sample_is_not_called_idle(mina: Any, worker: Any, running: Any, clock: Any) -> None:
    for _ in range(181):
        beat(worker, running)
        clock.move(20)
    assert mina.session("mina/None/1")["status"] == "Running"


@pytest.mark.parametrize("between", [lambda *_: None, beat], ids=["no word", "no sample"])
def test_a_device_that_was_not_seen_for_an_hour_did_not_do_nothing_for_an_hour(
    mina: Any, worker: Any, running: Any, clock: Any, between: Any
) -> None:
    beat(worker, running, 0, 0)
    for _ in range(181):
        clock.move(20)
        between(worker, running)
    assert mina.session("mina/None/1")["status"] == "Running"
    beat(worker, running, 0, 0)
    assert mina.session("mina/None/1")["status"] == "Running"


def test_a_round_that_finds_nothing_to_end_waits_for_no_write_lock(
    mina: Any, worker: Any, running: Any, platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    object.__setattr__(platform, "settings", Settings(data=platform.settings.data, idle_gpu_stop=True))
    with platform.database.write() as tx:
        credits.grant(platform, tx, "mina", 1000)
    beat(worker, running, 0, 0)

    def refuse() -> None:
        raise AssertionError("it writes")

    with monkeypatch.context() as patched:
        patched.setattr(platform.database, "write", refuse)
        caps.enforce(platform)
    assert mina.session("mina/None/1")["state"] == "running"


def test_where_an_operator_wants_it_an_idle_session_is_ended_and_told_why(
    mina: Any, worker: Any, running: Any, clock: Any, platform: Any
) -> None:
    object.__setattr__(
        platform, "settings", Settings(data=platform.settings.data, idle_gpu_after=60, idle_gpu_stop=True)
    )
    for _ in range(4):
        beat(worker, running, 0, 0)
        clock.move(20)
        worker.dispatch()
    assert beat(worker, running, 0, 0).json()["stop"] == [[running.run_id, 1, "idle_gpu"]]
    running.end("stopped")
    session = mina.session("mina/None/1")
    assert (session["state"], session["reason"]) == ("stopped", "idle_gpu")


def test_a_lost_gpu_is_not_given_again(mina: Any, worker: Any, running: Any) -> None:
    running.end()
    capacity = {"cpus": 2, "memory": 2**33, "gpus": GPUS[1:]}
    assert worker.call("heartbeat", {"boxes": [], "capacity": capacity}).status_code == 200
    mina.run(None, gpus=1)
    assert worker.take_one().spec["limits"]["gpus"] == ["GPU-1"]


@pytest.mark.parametrize("use", [{"1": {"gpu_utilisation": "all"}}, {"1": {"memory": "much"}}])
def test_a_sample_that_cannot_be_read_is_refused(worker: Any, running: Any, use: Any) -> None:
    assert worker.call("heartbeat", {"boxes": [], "use": use}).status_code == 422


def test_a_worker_tells_nothing_about_runs_it_does_not_have(mina: Any, worker: Any, running: Any) -> None:
    worker.call("heartbeat", {"boxes": [], "use": {str(running.run_id): {"gpu_utilisation": [0, 0]}, "x": {}}})
    assert mina.session("mina/None/1")["use"] is None
