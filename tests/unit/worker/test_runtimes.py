"""Which runtimes a node offers, and which Python a box of each gets."""

import sys
from pathlib import Path

import pytest

from nsml_worker import runtimes
from nsml_worker.box import Box
from nsml_worker.confinement import LADDER
from nsml_worker.contract import Environment, RunKind, RunSpec
from nsml_worker.errors import ImageMissing
from nsml_worker.installed import find_missing
from nsml_worker.interpreter import Description, Interpreter
from nsml_worker.materialise import BlobCache
from nsml_worker.process_runner import ProcessRunner
from nsml_worker.runtimes import find_runtimes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A real Python by two good names and a bad one, one that is no Python, and one that is not there."""
    for name in ("tf1", "tf1.5", "Not a name", "broken", "empty", "default"):
        (tmp_path / "runtimes" / name / "bin").mkdir(parents=True)
    for name in ("tf1", "tf1.5", "Not a name", "default"):
        (tmp_path / "runtimes" / name / "bin/python").symlink_to(sys.executable)
    (tmp_path / "runtimes/broken/bin/python").symlink_to("/bin/false")
    (tmp_path / "runtimes/a file").touch()
    return tmp_path / "runtimes"


def test_a_node_offers_those_whose_python_starts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "find_spec", lambda _: None)
    found = find_runtimes(folder)
    assert sorted(found) == ["default", "tf1", "tf1.5"]
    assert found["tf1"].executable == str(folder / "tf1/bin/python")
    assert found["default"] == Interpreter.current()
    assert sorted(find_runtimes(None)) == sorted(find_runtimes(folder / "none")) == ["default"]


def test_tensorflow_2_stands_for_1_only_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "find_spec", lambda name: name)
    assert find_runtimes(None) == {"default": Interpreter.current(), "tf1-on-2": Interpreter.current()}


def chosen(tmp_path: Path, image: str, environment: Environment | None) -> str:
    """The name of the Python that a box gets."""
    images = {name: Interpreter(f"/{name}") for name in ("default", "tf1")}
    runner = ProcessRunner(tmp_path / "boxes", tmp_path, images, LADDER[-1])
    spec = RunSpec(1, 1, RunKind.TRAIN, "u/d/1", image, ("python", "-c", ""), (), environment_of=environment)
    box: Box = runner.find(spec, "")
    box.create()
    runner.prepare(box, BlobCache(tmp_path / "cache"))
    return runner._environments.find(box.folder).executable


@pytest.mark.parametrize(
    ("image", "environment", "expected"),
    [
        ("anything", Environment(runtime="tf1"), "/tf1"),
        ("tf1", Environment(), "/default"),  # an operator has mapped the word elsewhere: the table counts
        ("tf1", None, "/tf1"),
    ],
)
def test_a_box_gets_the_python_of_its_runtime(
    tmp_path: Path, image: str, environment: Environment | None, expected: str
) -> None:
    assert chosen(tmp_path, image, environment) == expected


def test_a_runtime_that_is_not_here_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageMissing, match=r"no 'torch1'; it has default, tf1"):
        chosen(tmp_path, "x", Environment(runtime="torch1"))


def test_tensorflow_is_there_by_any_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "tensorflow_cpu-2.21.0.dist-info").mkdir()
    (tmp_path / "tensorflow_cpu-2.21.0.dist-info/METADATA").write_text("Name: tensorflow-cpu\nVersion: 2.21.0\n")
    python = Description(Interpreter("/p"), "3.11.7", "CPython", "/p", (str(tmp_path),))
    asked = ("tensorflow", "tensorflow-gpu>=1.4", "tensorflow-gpu==1.4", "keras")
    assert find_missing(asked, python) == ("tensorflow-gpu==1.4", "keras")
