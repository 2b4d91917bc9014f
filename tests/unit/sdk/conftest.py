"""A box without a worker: the folder NSML_HOME and the variables of a session, and programs run inside as processes."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SDK = Path(__file__).parents[3] / "sdk"
PATIENCE = 180.0  # seconds for whatever normally comes at once


@dataclasses.dataclass
class FakeBox:
    """One session's folders. `run` executes a program as the worker would: in /app, with the SDK before it on the path."""

    root: Path
    python: str = sys.executable
    mode: str = "train"
    checkpoint: str = ""
    off_platform: bool = False
    variables: dict[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in ("app", "home", "data/kin"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def app(self) -> Path:
        return self.root / "app"

    @property
    def prediction(self) -> Path:
        return self.home / "out" / "prediction"

    @property
    def environment(self) -> dict[str, str]:
        plain = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(SDK),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LC_ALL": "C.UTF-8",
        }
        if self.off_platform:
            return plain
        return plain | {
            "NSML_HOME": str(self.home),
            "NSML_MODE": self.mode,
            "NSML_SESSION": "7",
            "NSML_SESSION_NAME": "alice/kin/7",
            "NSML_DATASET_NAME": "kin",
            "NSML_DATASET_PATH": str(self.root / "data" / "kin"),
            "NSML_GPU_NUM": "0",
            "NSML_CHECKPOINT": self.checkpoint,
            **self.variables,
        }

    def start(self, program: str, *arguments: str) -> subprocess.Popen[str]:
        (self.app / "main.py").write_text(textwrap.dedent(program), encoding="utf-8")
        return subprocess.Popen(
            [self.python, "-u", "main.py", *arguments],
            cwd=self.app,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def run(
        self, program: str, *arguments: str, fails: bool = False, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        process = self.start(program, *arguments)
        try:
            out, err = process.communicate(stdin, timeout=PATIENCE)
        finally:
            process.kill()
        assert (process.returncode != 0) == fails, f"exit {process.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def ask(self, question: dict[str, Any] | bytes) -> dict[str, Any]:
        """Ask the program's console, as the worker does: beneath a descriptor of the folder."""
        line = question if isinstance(question, bytes) else json.dumps(question).encode() + b"\n"
        home = os.open(self.home, os.O_RDONLY)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(f"/proc/self/fd/{home}/console.sock")
            os.close(home)
            connection.sendall(line)
            answer = connection.makefile("rb").readline()
        return json.loads(answer) if answer else {}

    def read_journal(self, kind: str | None = None) -> list[dict[str, Any]]:
        path = self.home / "journal"
        lines = path.read_bytes().decode("utf-8").splitlines() if path.exists() else []
        journal = [json.loads(line) for line in lines]
        return [line for line in journal if kind in (None, line["k"])]

    def list_checkpoints(self) -> dict[str, Path]:
        return {line["name"]: self.home / "checkpoints" / line["dir"] for line in self.read_journal("save")}

    def write_loader(self, text: str) -> None:
        (self.home / "loader").mkdir(exist_ok=True)
        (self.home / "loader" / "data_loader.py").write_text(textwrap.dedent(text), encoding="utf-8")

    def prepare_submit(self, checkpoint: str) -> None:
        """Lay out a saved checkpoint as the worker does for predict, and begin a new journal."""
        self.list_checkpoints()[checkpoint].rename(self.home / "checkpoint")
        (self.home / "journal").unlink()
        self.mode, self.checkpoint = "submit", checkpoint


@pytest.fixture
def box(tmp_path: Path) -> FakeBox:
    """A training session's box."""
    return FakeBox(tmp_path)


@pytest.fixture(scope="session")
def make_fake_box() -> Callable[..., FakeBox]:
    """Boxes in any folder, for a fixture that several tests share."""
    return FakeBox


@pytest.fixture(scope="session")
def find_python() -> Callable[[str], str]:
    """pyenv's interpreter of a version, e.g. "3.6". Where it is missing the test is skipped, on CI it fails."""

    def find(version: str) -> str:
        found = sorted((Path.home() / ".pyenv" / "versions").glob(version + ".*/bin/python"))
        if not found and os.environ.get("CI") != "true":
            pytest.skip(f"Python {version} is missing here: pyenv install {version}")
        return str(found[-1])

    return find


@pytest.fixture
def make_box(tmp_path: Path) -> Callable[..., FakeBox]:
    """Boxes with other settings, e.g. another interpreter."""
    return lambda **settings: FakeBox(tmp_path, **settings)
