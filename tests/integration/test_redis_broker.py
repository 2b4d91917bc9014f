"""The distributed form: server and worker started apart, a real Redis between them, the very same Celery task."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nsml_server.app import make_platform
from nsml_server.services import accounts
from nsml_server.services.accounts import Caller
from nsml_server.settings import Settings

pytestmark = pytest.mark.redis


@pytest.fixture
def start(patience: float) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a program; afterwards none of them is left."""
    with contextlib.ExitStack() as rest:

        def begin(*command: str, **environment: str) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
            rest.callback(end, process, patience)
            return process

        yield begin


def end(process: subprocess.Popen[bytes], patience: float) -> None:
    process.terminate()
    try:
        process.wait(patience)
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def tokens(tmp_path: Path) -> tuple[str, str]:
    """Of a user and of the node "rack1"."""
    platform = make_platform(Settings(data=tmp_path / "data"))
    with platform.database.write() as tx:
        user = accounts.ensure_user(tx, "mina", admin=True, now=platform.now())
        token = accounts.issue_local(tx, Caller(user.id, user.name, user.admin), platform.now())
        _, node_token = accounts.create_node(tx, "rack1", platform.now())
    platform.database.close()
    return token, node_token


@pytest.fixture
def platform(tmp_path: Path, tokens: tuple[str, str], start: Any, free_port: Any, wait_until: Any) -> dict[str, str]:
    """What `nsmlctl` needs to speak to it. Its worker has said hello."""
    redis_port, port = (free_port("127.0.0.1") for _ in range(2))
    broker, url = f"redis://127.0.0.1:{redis_port}/0", f"http://127.0.0.1:{port}"
    (tmp_path / "token").write_text(tokens[1])
    server = {"NSML_DATA": str(tmp_path / "data"), "NSML_PORT": str(port), "NSML_PUBLIC_URL": url}
    worker = {
        "NSML_SERVER_URL": url,
        "NSML_NODE": "rack1",
        "NSML_RUNNER": "process",
        "NSML_NODE_TOKEN_FILE": str(tmp_path / "token"),
        "NSML_WORKER_DATA": str(tmp_path / "worker"),
    }
    started = [
        start("redis-server", "--port", str(redis_port), "--save", "", "--dir", str(tmp_path)),
        start(sys.executable, "-m", "nsml_server", NSML_BROKER_URL=broker, **server),
        start(sys.executable, "-m", "nsml_worker", NSML_BROKER_URL=broker, **worker),
    ]
    login = {"NSML_SERVER": url, "NSML_TOKEN": tokens[0]}
    wait_until(lambda: any(process.poll() is not None for process in started) or is_there(login, tmp_path))
    assert [process.args for process in started if process.poll() is not None] == []
    return login


def is_there(login: dict[str, str], cwd: Path) -> bool:
    listed = ctl(login, "node", "ls", "-j", cwd=cwd)
    return listed.returncode == 0 and any(node["alive"] for node in json.loads(listed.stdout)["nodes"])


def ctl(login: dict[str, str], *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nsmlctl", *arguments]
    return subprocess.run(command, env={**os.environ, **login}, cwd=cwd, capture_output=True, text=True, timeout=180)


def test_a_session_runs_over_redis_as_it_does_embedded(platform: dict[str, str], tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "main.py").write_text("print('over redis')\n")
    ran = ctl(platform, "run", "main.py", "-j", cwd=code)
    assert ran.returncode == 0, ran.stderr
    name = json.loads(ran.stdout)["name"]
    followed = ctl(platform, "logs", "-f", name, cwd=code)
    assert "over redis" in followed.stdout, followed.stderr
    assert followed.returncode == 0
