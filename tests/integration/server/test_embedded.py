"""`python -m nsml_server.embedded` as a process: it comes up, it is found, it goes, and it says why it does not come up."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

Start = Callable[..., subprocess.Popen[str]]


PATIENCE = 180.0  # seconds for whatever normally comes at once


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the platform; whatever still runs at the end is killed."""
    with contextlib.ExitStack() as rest:

        def begin(*arguments: str, **environment: str) -> subprocess.Popen[str]:
            words = [sys.executable, "-m", "nsml_server.embedded", "--data", str(tmp_path / "data"), *arguments]
            variables = {**os.environ, "NSMLCTL_HOME": str(tmp_path / "home"), "NSML_USER": "mina", **environment}
            process = subprocess.Popen(words, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            rest.callback(end, process)
            return process

        yield begin


def end(process: subprocess.Popen[str]) -> None:
    """It is asked to, and killed when it does not."""
    process.terminate()
    try:
        process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.communicate()


def refusal(process: subprocess.Popen[str]) -> str:
    """What it says when it ends with exit code 1 at once."""
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, err
    assert out == ""
    assert len(err.strip().splitlines()) == 1, err
    assert "Traceback" not in err
    return err


def test_a_platform_comes_up_is_found_and_goes(start: Start, tmp_path: Path, wait_until: Any) -> None:
    ready, found = tmp_path / "ready.json", tmp_path / "home/platform.json"
    process = start("--port", "0", "--ready-file", str(ready))
    wait_until(lambda: process.poll() is not None or (ready.exists() and ready.read_text()))
    assert process.poll() is None, process.communicate()
    url = json.loads(ready.read_text())["url"]
    login = json.loads(found.read_text())
    assert (login["url"], login["user"], login["pid"], login["data"]) == (
        url,
        "mina",
        process.pid,
        str(tmp_path / "data"),
    )
    headers = {"Authorization": f"Bearer {login['token']}"}
    assert httpx2.get(f"{url}/api/v1/me", headers=headers).json() == {"user": "mina", "admin": True}
    assert httpx2.get(f"{url}/api/v1/platform").json()["mode"] == "embedded"
    # Somewhat later than the address where the worker takes longer than the greeting waits for it.
    wait_until(lambda: httpx2.get(f"{url}/api/v1/platform").json()["nodes"] == 1)
    assert httpx2.get(f"{url}/readyz").json()["ready"]
    other = refusal(start("--port", "0"))
    assert url in other
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=PATIENCE)
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
