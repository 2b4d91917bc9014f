"""Real frameworks in containers: PyTorch over packages that are asked for beside it, and TensorFlow 1.5 as it was in 2018.

The images are built from docker/ as `make images` does. Of the default runtime a test machine that has not got it builds
PyTorch alone: TensorFlow is another three minutes and two gigabytes.
"""

import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DATASET = ROOT / "examples/kin/dataset"
OLD_PYTHON = "python:3.6-slim-bullseye"
REAL = "nsmlctl/runtime-default:latest"
SETUP = """#nsml: team/kin:1
from setuptools import setup

setup(name="kin_torch", version="1.0", install_requires=["torch", "humanize==4.10.0"])
"""
LOOK = """
import humanize, shutil, torch
print(humanize.__version__, shutil.which("tree"), torch.ones(2).sum().item())
"""


FINDS_TORCH = "import importlib.util; raise SystemExit(importlib.util.find_spec('torch') is None)"


def has_torch(image: str) -> bool:
    """Whether there is such an image, and it was not built without its frameworks."""
    command = ["docker", "run", "--rm", "--pull", "never", "--network", "none", image, "python", "-c", FINDS_TORCH]
    return subprocess.run(command, capture_output=True, timeout=180).returncode == 0


def build(image: str, file: str, *arguments: str) -> None:
    """The classic builder: the newer one asks a registry about images that are here."""
    subprocess.run(
        ["docker", "build", "--network", "host", *arguments, "-t", image, "-f", f"docker/{file}.Dockerfile", "docker"],
        cwd=ROOT, check=True, capture_output=True, timeout=900, env={**os.environ, "DOCKER_BUILDKIT": "0"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def torch_image(docker_engine: Any, runtime_prefix: str) -> Iterator[str]:
    """The default runtime, as it is here or as much of it as is needed."""
    name = f"{runtime_prefix}kin-torch:latest"
    if has_torch(REAL):
        docker_engine.tag(REAL, name)
    else:
        words = [f"{name}=" for name in ("TENSORFLOW", "TORCH_INDEX")] + ["ALSO=numpy"]
        build(name, "runtime-default", *(word for value in words for word in ("--build-arg", value)))
    yield name
    docker_engine.remove_image(name)


@pytest.fixture(scope="module")
def old_image(docker_engine: Any, runtime_prefix: str) -> Iterator[str]:
    """The runtime `tf1.5`."""
    if not docker_engine.images(OLD_PYTHON):
        subprocess.run([ROOT / "tests/stand_ins/make.sh", OLD_PYTHON], check=True)
    name = f"{runtime_prefix}runtime-tf1.5:latest"
    build(name, "runtime-tf1", "--build-arg", "RUNTIME=tf1.5", "--build-arg", f"BASE={OLD_PYTHON}")
    yield name
    docker_engine.remove_image(name)


@pytest.fixture(scope="module")
def docked(
    tmp_path_factory: pytest.TempPathFactory, make_platform: Any, runtime_prefix: str, torch_image: str, old_image: str
) -> Iterator[Any]:  # fmt: skip
    """A platform with both; what it built is taken away afterwards."""
    settings = {"NSML_RUNNER": "docker", "NSML_IMAGE_PREFIX": runtime_prefix, "NSML_BUILD_NETWORK": "host"}
    made = make_platform(tmp_path_factory.mktemp("docked"), **settings)
    with made.running():
        made.ctl("dataset", "push", "kin_pairs", str(DATASET), "-l", "--metric", "accuracy")
        made.ctl("image", "add", "team/kin:1", f"docker:{torch_image}")
        yield made


@pytest.fixture(scope="module")
def kin_torch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """examples/kin_torch, which names an image of the team's, a package of pip beside torch, and one of Debian."""
    folder = shutil.copytree(ROOT / "examples/kin_torch", tmp_path_factory.mktemp("code") / "kin_torch")
    (folder / "setup.py").write_text(SETUP)
    (folder / "nsml_package.txt").write_text("tree\n")
    (folder / "look.py").write_text(LOOK)
    return folder


def count_built(platform: Any) -> int:
    log: str = (platform.data / "worker.log").read_text()
    return log.count("environment_made")


@pytest.mark.timeout(1800)  # where the images are not there yet
def test_torch_trains_and_scores_in_an_environment_built_for_it(docked: Any, kin_torch: Path) -> None:
    started = docked.ctl("run", "-d", "kin_pairs", "main.py", "-c", "1", cwd=kin_torch, timeout=900)
    assert "Session mina/kin_pairs/1 is started" in started.stdout
    session = docked.wait_for("mina/kin_pairs/1", timeout=600)
    assert session["state"] == "exited", docked.ctl("logs", session["name"]).stdout[-3000:]
    submission = docked.json("submit", session["name"])
    assert submission["state"] == "scored", submission
    assert submission["score"] > 0.6
    assert count_built(docked) == 1


def test_the_next_session_finds_the_environment_as_it_is(docked: Any, kin_torch: Path) -> None:
    """After the first: the same folder, so the same image and packages."""
    started = docked.ctl("run", "-d", "kin_pairs", "look.py", "-c", "1", cwd=kin_torch)
    assert "Installing" not in started.stderr
    assert docked.wait_for("mina/kin_pairs/2")["state"] == "exited"
    assert docked.ctl("logs", "mina/kin_pairs/2").stdout.split() == ["4.10.0", "/usr/bin/tree", "2.0"]
    assert count_built(docked) == 1


def test_a_program_of_2018_trains_and_scores_on_the_tensorflow_it_was_written_for(docked: Any) -> None:
    program = ROOT / "tests/programs/tf1/character_level"
    expected = tomllib.loads((program / "expect.toml").read_text())
    started = docked.json("run", "-d", "kin_pairs", "main.py", cwd=program)
    assert [note for note in started["notes"] if "default Python" in note] == []
    session = docked.wait_for(started["name"])
    log = docked.ctl("logs", started["name"]).stdout
    assert session["state"] == expected["train"]["state"], (session["message"], log[-2000:])
    assert "TensorFlow 1.5.0" in log
    submission = docked.json("submit", started["name"])
    assert submission["state"] == expected["submit"]["state"], submission
    assert submission["score"] > expected["submit"]["above"]
