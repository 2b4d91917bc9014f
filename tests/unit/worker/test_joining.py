"""A machine adds itself: a join token is exchanged once, and what is kept is enough for later starts."""

import json
import stat
import threading
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from nsml_worker import bootstrap, joining
from nsml_worker.contract import RunKind, RunSpec
from nsml_worker.errors import ServerAway, SettingsInvalid
from nsml_worker.joining import Door, Membership, NodeFolder
from nsml_worker.materialise import BlobCache
from nsml_worker.memory_server import SECONDS
from nsml_worker.runner import MemoryRunner

URL = "http://platform:8080"


class Platform:
    """A server that lets in whoever shows "let me in", and knows its nodes afterwards."""

    def __init__(self) -> None:
        self.nodes: dict[str, str] = {}
        self.broker_url = "redis://first:6379/0"
        self.joins = 0

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        token = request.headers["authorization"].removeprefix("Bearer ")
        if request.method == "POST":
            return self._join(token, json.loads(request.content)["name"])
        name = request.url.path.rsplit("/", 1)[1]
        if self.nodes.get(name) != token:
            return refusal(401, "This node token is wrong or has been revoked.")
        return httpx2.Response(200, json={"node": name, "alive": True, "broker_url": self.broker_url})

    def _join(self, token: str, name: str) -> httpx2.Response:
        if token != "let me in":
            return refusal(401, "This join token was used already or is too old.")
        self.joins += 1
        self.nodes[name] = f"token {self.joins}"
        told = {"node": name, "token": self.nodes[name], "broker_url": self.broker_url}
        return httpx2.Response(201, json=told)


def refusal(status: int, message: str) -> httpx2.Response:
    return httpx2.Response(
        status, json={"error": {"code": "unauthenticated" if status == 401 else "no", "message": message}}
    )


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    made = Platform()
    monkeypatch.setattr(joining, "_connect", connector(made.answer))
    return made


def connector(answer: Callable[[httpx2.Request], httpx2.Response]) -> Callable[[str], httpx2.Client]:
    return lambda url: httpx2.Client(base_url=f"{url}/agent/v1", transport=httpx2.MockTransport(answer))


def enter(folder: Path, **typed: Any) -> dict[str, str]:
    options = {"server": URL, "join": "let me in", "name": "rack1", **typed}
    return joining.enter(NodeFolder(folder), Namespace(**options))


def test_a_join_token_is_exchanged_for_a_token_that_is_ours_alone_to_read(platform: Platform, tmp_path: Path) -> None:
    environment = enter(tmp_path / "worker", server=f"{URL}/")
    assert environment["NSML_SERVER_URL"] == URL
    assert environment["NSML_NODE"] == "rack1"
    assert environment["NSML_BROKER_URL"] == "redis://first:6379/0"
    file = Path(environment["NSML_NODE_TOKEN_FILE"])
    assert file.read_text() == "token 1"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_later_start_needs_the_folder_only_and_learns_of_a_moved_broker(platform: Platform, tmp_path: Path) -> None:
    enter(tmp_path)
    platform.broker_url = "redis://second:6379/0"
    environment = enter(tmp_path, server=None, join=None, name="whatever this host is called")
    assert environment["NSML_NODE"] == "rack1"
    assert environment["NSML_BROKER_URL"] == "redis://second:6379/0"
    assert platform.joins == 1


def test_a_machine_that_was_removed_joins_again_with_a_token_and_says_so_without(
    platform: Platform, tmp_path: Path
) -> None:
    enter(tmp_path)
    platform.nodes.clear()
    with pytest.raises(SettingsInvalid, match="nsmlctl node add"):
        enter(tmp_path, join=None)
    assert enter(tmp_path)["NSML_NODE"] == "rack1"
    assert platform.joins == 2


def test_the_boxes_of_a_machine_that_was_removed_are_ended_before_it_says_so(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[dict[str, str]] = []
    monkeypatch.setattr(joining, "end_boxes", ended.append)
    enter(tmp_path)
    platform.nodes.clear()
    with pytest.raises(SettingsInvalid, match="does not know this machine"):
        enter(tmp_path, server="http://another:8080", join=None)
    assert ended == [], "the one it belongs to may still wait for them"
    with pytest.raises(SettingsInvalid, match="does not know this machine"):
        enter(tmp_path, join=None)
    assert [(one["NSML_NODE"], one["NSML_WORKER_DATA"]) for one in ended] == [("rack1", str(tmp_path))]


def test_a_box_of_a_machine_that_was_removed_is_ended_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "choose_runner", lambda *_: runner)
    runner = MemoryRunner(tmp_path / "boxes", {"main.py": lambda _box, _write, stop: int(not stop.wait(SECONDS))})
    spec = RunSpec(1, 1, RunKind.TRAIN, "u/d/1", "default", ("python", "main.py"), ())
    box = runner.find(spec, "token")
    box.create()
    runner.prepare(box, BlobCache(tmp_path / "cache"))
    runner.start(box)
    (tmp_path / "token").write_text("token 1")
    joining.end_boxes({
        "NSML_SERVER_URL": "http://127.0.0.1:1", "NSML_NODE": "rack1", "NSML_NODE_TOKEN_FILE": str(tmp_path / "token"),
        "NSML_BROKER_URL": joining.NO_QUEUE, "NSML_WORKER_DATA": str(tmp_path),
    })  # fmt: skip
    assert not box.folder.exists()


def test_how_programs_run_on_a_machine_that_joins_is_chosen_with_strangers_in_mind() -> None:
    own = {"NSML_NODE": "rack1"}
    assert joining.complete({"NSML_RUNNER": "", "A": "b"}, own) == {
        "A": "b",
        "NSML_NODE": "rack1",
        "NSML_RUNNER": "engine",
    }
    assert joining.complete({"NSML_RUNNER": "process"}, own)["NSML_RUNNER"] == "process"


def test_a_refused_join_says_what_the_server_said_and_keeps_nothing(platform: Platform, tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="used already"):
        enter(tmp_path / "worker", join="a guess")
    assert not (tmp_path / "worker").exists()


def test_a_folder_without_a_platform_asks_for_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="--server URL --join TOKEN"):
        enter(tmp_path, server=None)
    with pytest.raises(SettingsInvalid, match="belongs to no platform"):
        joining.check(NodeFolder(tmp_path))


def test_a_broken_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "node.json").write_text("{")
    with pytest.raises(SettingsInvalid, match=r"node\.json cannot be read"):
        NodeFolder(tmp_path).read()


def test_a_check_tells_by_its_exit_code(platform: Platform, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    enter(tmp_path)
    assert joining.check(NodeFolder(tmp_path)) == 0
    assert capsys.readouterr().out == f"rack1 at {URL} is alive\n"


def test_a_check_does_not_wait_for_a_server_that_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    NodeFolder(tmp_path).write(Membership(URL, "rack1"), "token")
    monkeypatch.setattr(joining, "_connect", connector(away))
    with pytest.raises(ServerAway):
        joining.check(NodeFolder(tmp_path))


def test_a_join_waits_for_a_server_that_is_still_starting() -> None:
    answers = iter([503, 503, 201])

    def answer(_: httpx2.Request) -> httpx2.Response:
        status = next(answers)
        return refusal(status, "not yet") if status == 503 else httpx2.Response(201, json={"node": "rack1"})

    with connector(answer)(URL) as client:
        assert Door(client, threading.Event()).join("let me in", "rack1") == {"node": "rack1"}


def test_a_file_of_a_join_token_that_is_not_there_is_named() -> None:
    with pytest.raises(SettingsInvalid, match="/nowhere/token"):
        joining.read_options(["--join-file", "/nowhere/token"], {})


def test_a_machine_is_called_as_its_host_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "rack7.example.org")
    (tmp_path / "token").write_text("let me in\n")
    options = joining.read_options(["--join-file", str(tmp_path / "token")], {"NSML_WORKER_DATA": "/srv/nsml"})
    assert (options.name, options.join, options.data) == ("rack7", "let me in", Path("/srv/nsml"))
    assert joining.read_options([], {"NSML_NODE": "rack8"}).name == "rack8"
    assert joining.read_options(["--name", "rack9"], {"NSML_NODE": "rack8"}).name == "rack9"
