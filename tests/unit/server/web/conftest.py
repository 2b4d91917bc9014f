"""A platform in memory with a few rows, and browsers that look at its pages."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from nsml_server import web
from nsml_server.broker import MemoryBroker
from nsml_server.clock import MemoryClock
from nsml_server.domain.states import RunState, SubmissionState
from nsml_server.services import accounts, leaderboard
from nsml_server.services.platform import Platform
from nsml_server.settings import Settings
from nsml_server.storage.blobs import MemoryBlobStore
from nsml_server.storage.database import Database
from nsml_server.storage.repositories import manifests
from nsml_server.storage.streams import MemoryStreamStore
from nsml_server.storage.tables import Base, Checkpoint, Dataset, DatasetVersion, Run, Session, Submission
from nsml_worker.contract import FileEntry, RunKind, Tree

HTML = {"Accept": "text/html,application/xhtml+xml"}


@dataclass
class Site:
    """A platform, its application, and the tokens of its people: mina has a session, juno has none."""

    platform: Platform
    app: FastAPI
    tokens: dict[str, str]
    run_id: int = 0
    session_id: int = 0

    def change(self, row: type[Any], key: int, **values: Any) -> None:
        """Write columns of a row, as the rows might hold them whatever a service would refuse."""
        with self.platform.database.write() as tx:
            found = tx.get_one(row, key)
            for name, value in values.items():
                setattr(found, name, value)

    def write_log(self, data: bytes) -> None:
        """Append to the session's log."""
        streams = self.platform.streams
        streams.append(self.run_id, "log", streams.size(self.run_id, "log"), data)


@pytest.fixture
def site() -> Iterator[Site]:
    """kin has a board on which mina's first submission stands; mina/kin/1 runs."""
    database = Database("sqlite://")
    Base.metadata.create_all(database.engine)
    platform = Platform(
        Settings(), database, MemoryBlobStore(), MemoryStreamStore(), MemoryBroker(), MemoryClock(1_790_000_000.0)
    )
    app = FastAPI(version="1.2.3")
    app.state.platform = platform
    web.install(app)
    with database.write() as tx:
        tokens = {name: accounts.create_user(tx, name, admin=False, now=0.0)[1] for name in ("mina", "juno")}
        run_id, session_id = add_rows(tx)
    yield Site(platform, app, tokens, run_id, session_id)
    database.close()


def add_rows(tx: Any) -> tuple[int, int]:
    """A dataset, a running session with a checkpoint, and a scored submission. Returns the ids of run and session."""
    now = 1_789_999_000.0
    tree = manifests.save(tx, Tree((FileEntry("model", 10, "0" * 64), FileEntry("vocabulary", 5, "1" * 64))))
    dataset = Dataset(
        id=1, name="kin", owner_id=1, description="Do two questions ask the same?", leaderboard=True,
        metric="accuracy", order="descending", created_at=now, updated_at=now,
    )  # fmt: skip
    tx.add(dataset)
    tx.flush()
    tx.add(DatasetVersion(id=1, dataset_id=1, number=1, manifest=tree, metric="accuracy", size=15, created_at=now))
    tx.flush()
    tx.add(
        Session(
            id=1, user_id=1, dataset="kin", number=1, version_id=1, code=tree, entry="main.py", args="--epochs 3",
            memo="first try", image="default", created_at=now,
        )
    )  # fmt: skip
    tx.flush()
    tx.add(
        Run(
            id=1, kind=RunKind.TRAIN, user_id=1, session_id=1, version_id=1, state=RunState.RUNNING, cpus=1, gpus=0,
            image="default", queued_at=now, started_at=now, summary={"train/loss": 0.25},
        )
    )  # fmt: skip
    tx.add(
        Checkpoint(
            session_id=1, name="3", manifest=tree, size=15, summary={"train/loss": 0.5}, saved_at=now, elapsed=1.0
        )
    )
    submission = Submission(
        id=1, session_id=1, user_id=1, dataset_version_id=1, dataset_id=1, checkpoint="3", checkpoint_manifest=tree,
        state=SubmissionState.SCORED, score=0.834684775998, created_at=now, ended_at=now,
    )  # fmt: skip
    tx.add(submission)
    tx.flush()
    leaderboard.record(tx, dataset, submission)
    return 1, 1


@pytest.fixture
def stranger(site: Site) -> Iterator[TestClient]:
    """A browser that is not logged in. Redirects are looked at, not followed."""
    with TestClient(site.app, headers=HTML, follow_redirects=False) as client:
        yield client


@pytest.fixture
def browser(site: Site) -> Iterator[Callable[[str], TestClient]]:
    """Makes browsers that are logged in."""
    opened = []

    def open_browser(name: str) -> TestClient:
        client = TestClient(site.app, headers=HTML, follow_redirects=False).__enter__()
        opened.append(client)
        answer = client.post("/login", data={"token": site.tokens[name], "csrf": form_token(client, "/login")})
        assert answer.status_code == 303, answer.text
        return client

    yield open_browser
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def mina(browser: Callable[[str], TestClient]) -> TestClient:
    """Whose session it is."""
    return browser("mina")


@pytest.fixture
def juno(browser: Callable[[str], TestClient]) -> TestClient:
    """Somebody else."""
    return browser("juno")


def form_token(client: TestClient, path: str) -> str:
    """The token in a page's forms."""
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', client.get(path).text)
    assert found, f"no form on {path}"
    return found.group(1)


@pytest.fixture
def forms() -> SimpleNamespace:
    """How tests read forms: `forms.token(client, path)`."""
    return SimpleNamespace(token=form_token)
