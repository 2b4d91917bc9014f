"""`python -m nsml_server.embedded` as a process: it comes up, it is found, it goes, and it says why it does not come up."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the platform; whatever still runs at the end is killed."""
    begun: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "nsml_server.embedded", "--data", str(tmp_path / "data"), *arguments]
        variables = {**os.environ, "NSMLCTL_HOME": str(tmp_path / "home"), "NSML_USER": "mina", **environment}
        process = subprocess.Popen(words, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        begun.append(process)
        return process

    yield begin
    for process in begun:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def refusal(process: subprocess.Popen[str]) -> str:
    """What it says when it ends with exit code 1 at once."""
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1, err
    assert out == ""
    assert len(err.strip().splitlines()) == 1, err
    assert "Traceback" not in err
    return err


def wait_for(path: Path, process: subprocess.Popen[str]) -> dict[str, Any]:
    until = time.monotonic() + 60
    while not path.exists() or not path.read_text():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)
    told: dict[str, Any] = json.loads(path.read_text())
    return told


def test_a_platform_comes_up_is_found_and_goes(start: Start, tmp_path: Path) -> None:
    ready, found = tmp_path / "ready.json", tmp_path / "home/platform.json"
    process = start("--port", "0", "--ready-file", str(ready))
    url = wait_for(ready, process)["url"]
    login = json.loads(found.read_text())
    assert (login["url"], login["user"], login["pid"], login["data"]) == (
        url,
        "mina",
        process.pid,
        str(tmp_path / "data"),
    )
    headers = {"Authorization": f"Bearer {login['token']}"}
    assert httpx2.get(f"{url}/api/v1/me", headers=headers).json() == {"user": "mina", "admin": True}
    platform = httpx2.get(f"{url}/api/v1/platform").json()
    assert (platform["mode"], platform["nodes"]) == ("embedded", 1)
    assert httpx2.get(f"{url}/readyz").json()["ready"]
    other = refusal(start("--port", "0"))
    assert url in other
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert err == ""
    assert f"nsml is up at {url}" in out
    assert login["token"] not in out
    assert "Stopping." in out
    assert not found.exists()


def test_a_port_in_use_is_one_sentence(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refusal(start("--port", str(port)))
    assert str(port) in said
    assert "--port" in said


def test_an_address_of_another_machine_is_one_sentence(start: Start) -> None:
    assert "203.0.113.9" in refusal(start("--host", "203.0.113.9", "--port", "0"))


def test_a_folder_that_cannot_be_made_is_one_sentence(start: Start, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    said = refusal(start("--port", "0"))
    assert str(tmp_path / "data") in said
    assert "--data" in said


def test_a_user_name_we_do_not_take_is_one_sentence(start: Start) -> None:
    assert "../x" in refusal(start("--port", "0", NSML_USER="../x"))
