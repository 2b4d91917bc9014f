"""The server whole, without a network, a broker or a worker: its HTTP APIs, and a worker that follows a script."""

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from starlette.testclient import TestClient

from nsml_server.app import create_app
from nsml_server.broker import MemoryBroker, Message
from nsml_server.clock import MemoryClock
from nsml_server.services import accounts
from nsml_server.services.dispatch import Dispatcher
from nsml_server.services.platform import Platform
from nsml_server.settings import Settings
from nsml_server.storage import migrations, packs
from nsml_server.storage.blobs import MemoryBlobStore
from nsml_server.storage.database import Database
from nsml_server.storage.streams import MemoryStreamStore

LABELS = b"1\n0\n1\n"
DATASET = {
    "data_loader.py": b"def feed_infer(output_file, infer_func):\n    pass\n",
    "train/train_data": b"train inputs",
    "train/train_label": b"0\n",
    "test/test_data": b"hidden inputs",
    "test/test_label": LABELS,
}
LOOK = 10.0  # seconds between two rounds of the dispatcher, where a test lets time pass
CODE = {
    "main.py": b"import nsml\n\n\ndef load(path):\n    return vocabulary['x']\n",
    "other.py": b"print('other')\n",
    "lib/deep.py": b"",
}


def hash_of(data: bytes) -> str:
    return blake3(data).hexdigest()


def tree_of(files: dict[str, bytes]) -> dict[str, Any]:
    entries = [{"path": path, "size": len(data), "hash": hash_of(data), "mode": 0o644} for path, data in files.items()]
    return {"files": entries}


@dataclass
class Person:
    """Somebody with a token, and the API they use."""

    client: TestClient
    name: str
    token: str

    def call(self, method: str, path: str, **request: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", **request.pop("headers", {})}
        return self.client.request(method, f"/api/v1{path}", headers=headers, **request)

    def upload(self, files: dict[str, bytes]) -> dict[str, Any]:
        pack = packs.encode([(name, data) for name, data in {hash_of(d): d for d in files.values()}.items()])
        assert self.call("POST", "/packs", content=pack).status_code == 201
        return tree_of(files)

    def push(self, name: str = "kin", files: dict[str, bytes] | None = None, **wish: Any) -> Any:
        tree = self.upload(files or DATASET)
        body = {"tree": tree, "leaderboard": True, "metric": "accuracy", "order": "descending", **wish}
        return self.call("PUT", f"/datasets/{name}", json=body)

    def run(self, dataset: str | None = "kin", key: str | None = None, **wish: Any) -> Any:
        code = self.upload(wish.pop("files", CODE))
        headers = {"Idempotency-Key": key} if key else {}
        body = {"dataset": dataset, "code": code, "entry": "main.py", **wish}
        return self.call("POST", "/sessions", json=body, headers=headers)

    def session(self, name: str) -> Any:
        return self.call("GET", f"/sessions/{name}").json()

    def submit(self, name: str, checkpoint: str | None = None, key: str | None = None) -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        return self.call("POST", f"/sessions/{name}/submissions", json={"checkpoint": checkpoint}, headers=headers)

    def submission(self, number: int) -> Any:
        return self.call("GET", f"/submissions/{number}").json()


@dataclass
class Attempt:
    """One run in a worker's hands."""

    client: TestClient
    run_id: int
    token: str
    spec: dict[str, Any] = field(default_factory=dict)
    seq: int = 0
    number: int = 1

    def call(self, method: str, path: str, **request: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.client.request(method, f"/agent/v1/runs/{self.run_id}{path}", headers=headers, **request)

    def claim(self) -> "Attempt":
        answer = self.call("POST", "/claim", json={})
        assert answer.status_code == 200, answer.text
        self.spec, self.number = answer.json(), answer.json()["attempt"]
        return self

    def tell(self, kind: str, data: dict[str, Any] | None = None) -> Any:
        self.seq += 1
        event = {"seq": self.seq, "kind": kind, "at": time.time(), "data": data or {}}
        return self.call("POST", "/events", json={"attempt": self.number, "events": [event]})

    def write(self, stream: str, offset: int, data: bytes) -> Any:
        return self.call("POST", f"/streams/{stream}", params={"offset": offset}, content=data)

    def store(self, data: bytes) -> str:
        assert self.call("PUT", f"/blobs/{hash_of(data)}", content=data).status_code == 201
        return hash_of(data)

    def save(self, name: str, summary: dict[str, Any] | None = None, files: dict[str, bytes] | None = None) -> Any:
        files = files or {"model": f"weights of {name}".encode()}
        for data in files.values():
            self.store(data)
        told = {"name": name, "tree": tree_of(files), "summary": summary or {}, "saved_at": 1_700_000_000 + self.seq}
        return self.tell("checkpoint", told)

    def end(self, reason: str = "exited", outputs: dict[str, bytes] | None = None, **facts: Any) -> Any:
        collected = [
            {"name": name, "size": len(data), "hash": self.store(data)} for name, data in (outputs or {}).items()
        ]
        exit_code = {"exited": 0, "exit_code": 1}.get(reason)
        return self.tell("ended", {"reason": reason, "exit_code": exit_code, "outputs": collected, **facts})

    def mounted(self, target: str) -> list[str]:
        return [
            file["path"]
            for mount in self.spec["mounts"]
            if mount["target"] == target
            for file in mount["tree"]["files"]
        ]


@dataclass
class Worker:
    """A node that does what the test says."""

    client: TestClient
    platform: Platform
    token: str
    dispatch: Any
    name: str = "node-1"

    def call(self, verb: str, body: dict[str, Any]) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.client.post(f"/agent/v1/nodes/{self.name}/{verb}", json=body, headers=headers)

    def hello(self, boxes: list[list[int]] | None = None, cpus: int = 2, **capacity: Any) -> Any:
        offer = {"cpus": cpus, "memory": 2**33, "images": ["default"], "confinement": "bubblewrap", **capacity}
        answer = self.call("hello", {"capacity": offer, "boxes": boxes or []})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def heartbeat(self, *boxes: list[int]) -> Any:
        return self.call("heartbeat", {"boxes": list(boxes)}).json()

    def fall_silent(self, seconds: float = 31.0) -> None:
        """No word from it for longer than a lease, while the server goes on looking."""
        assert isinstance(self.platform.clock, MemoryClock)
        until = self.platform.now() + seconds
        while (left := until - self.platform.now()) > 0:
            self.platform.clock.move(min(left, LOOK))
            self.dispatch(rung=False)

    def messages(self) -> list[Message]:
        self.dispatch()
        broker = self.platform.broker
        assert isinstance(broker, MemoryBroker)
        return broker.take()

    def take(self) -> list[Attempt]:
        """Claim everything that was handed over."""
        handed = [message for message in self.messages() if message.task == "nsml.run"]
        return [Attempt(self.client, message.run_id, message.token).claim() for message in handed]

    def take_one(self) -> Attempt:
        (attempt,) = self.take()
        return attempt

    def train(self, **summaries: dict[str, Any]) -> Attempt:
        """A whole training that saves checkpoints of these names."""
        attempt = self.take_one()
        attempt.tell("started")
        for name, summary in (summaries or {"1": {}}).items():
            attempt.save(name, summary)
        assert attempt.end().status_code == 200
        return attempt

    def predict(self, lines: bytes = LABELS) -> Attempt:
        attempt = self.take_one()
        attempt.tell("started")
        assert attempt.end(outputs={"prediction": lines}).status_code == 200
        return attempt

    def score(self, answer: dict[str, Any]) -> Attempt:
        attempt = self.take_one()
        attempt.tell("started")
        assert attempt.end(outputs={"score.json": json.dumps(answer).encode()}).status_code == 200
        return attempt


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture(scope="session")
def empty_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as the migrations make it, to be copied."""
    path = tmp_path_factory.mktemp("rows") / "empty.sqlite"
    database = Database(f"sqlite:///{path}")
    migrations.upgrade(database)
    database.close()
    return path


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def rows(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database: every test here runs on both kinds."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("empty_rows"), tmp_path / "nsml.sqlite")
        yield ""
    else:
        cluster = request.getfixturevalue("postgres")
        url = cluster.make()
        yield url
        cluster.drop(url)


@pytest.fixture
def platform(tmp_path: Path, clock: MemoryClock, rows: str) -> Iterator[Platform]:
    settings = Settings(data=tmp_path, public_url="http://nsml.test", database_url=rows)
    database = Database(settings.database)
    yield Platform(settings, database, MemoryBlobStore(), MemoryStreamStore(), MemoryBroker(), clock)
    database.close()


@pytest.fixture(scope="session")
def built() -> list[Any]:
    """The application, once there is one: to build its routes takes as long as a test."""
    return []


@pytest.fixture
def app(platform: Platform, built: list[Any]) -> Any:
    if not built:
        built.append(create_app(platform))
    state = built[0].state
    state.platform, state.dispatcher = platform, Dispatcher(platform)
    return built[0]


@pytest.fixture
def client(app: Any) -> TestClient:
    """Without the application's own dispatcher: tests say when it looks."""
    return TestClient(app, raise_server_exceptions=True)


@pytest.fixture
def join(platform: Platform, client: TestClient) -> Any:
    """Make a person."""

    def make(name: str, *, admin: bool = False) -> Person:
        with platform.database.write() as tx:
            _, token = accounts.create_user(tx, name, admin=admin, now=platform.now())
        return Person(client, name, token)

    return make


@pytest.fixture
def mina(join: Any) -> Person:
    person: Person = join("mina")
    return person


@pytest.fixture
def stranger(join: Any) -> Person:
    person: Person = join("stranger")
    return person


@pytest.fixture
def worker(platform: Platform, app: Any, client: TestClient) -> Worker:
    """A node that has not said hello yet."""
    with platform.database.write() as tx:
        _, token = accounts.create_node(tx, "node-1", platform.now())
    return Worker(client, platform, token, app.state.dispatcher.run_once)


@pytest.fixture
def trained(mina: Person, worker: Worker) -> str:
    """A session of mina's that has ended with checkpoints "1" and "2"."""
    assert mina.push().status_code == 200
    worker.hello()
    name: str = mina.run().json()["name"]
    worker.train(**{"1": {"accuracy": 0.9}, "2": {"accuracy": 0.5}})
    return name
