"""What the runtimes' images are built from: the recipes of `make runtimes`, so that a program meets the same everywhere."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from nsml_worker.containers.site import RUNTIMES
from nsml_worker.runtimes import DEFAULT

ROOT = Path(__file__).parents[3]
RECIPES = sorted(path.stem for path in (ROOT / "docker/runtimes").glob("*.txt"))


def ask(*runtimes: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """docker/images.sh with an engine that only repeats what it is told."""
    return subprocess.run(
        [ROOT / "docker/images.sh", *runtimes], env={"PATH": os.environ["PATH"], "BUILD": "echo", **settings},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def read_arguments(said: str) -> dict[str, str]:
    """The build arguments of the last image."""
    return dict(re.findall(r"--build-arg (\w+)=(\S*)", said.splitlines()[-1]))


def read_defaults(file: str) -> dict[str, str]:
    text = (ROOT / file).read_text()
    return {name: value.strip('"') for name, value in re.findall(r"^ARG (\w+)=(.*)$", text, re.M)}


def find_file(said: str) -> str:
    return said.splitlines()[-1].partition(" -f ")[2].split()[0]


def test_every_runtime_but_the_default_has_a_recipe() -> None:
    assert set(RECIPES) == set(RUNTIMES) - {DEFAULT}


@pytest.mark.parametrize("runtime", RECIPES)
def test_an_image_is_made_from_its_recipe_on_the_python_it_asks_for(runtime: str) -> None:
    said = ask(runtime).stdout
    file = find_file(said)
    arguments = {**read_defaults(file), **read_arguments(said)}
    version = (ROOT / f"docker/runtimes/{runtime}.txt").read_text().splitlines()[0].removeprefix("# Python ")
    assert arguments["BASE"] == f"python:{version}-slim-bullseye"
    text = (ROOT / file).read_text().replace("${RUNTIME}", arguments.get("RUNTIME", ""))
    (copied,) = re.findall(r"^COPY runtimes/(\S+) (\S+)$", text, re.M)
    assert copied[0] == f"{runtime}.txt"
    assert f"pip install --no-cache-dir -r {copied[1]}" in text


@pytest.mark.parametrize("runtime", sorted(set(RECIPES) - {"tf1.5", "torch1.1"}))
def test_whoever_builds_by_hand_gets_the_same(runtime: str) -> None:
    said = ask(runtime).stdout
    assert read_arguments(said).items() <= read_defaults(find_file(said)).items()


def test_the_default_has_the_versions_of_make_frameworks() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    defaults = read_defaults("docker/runtime-default.Dockerfile")
    assert {defaults["TORCH"], defaults["TENSORFLOW"]} == set(extras["frameworks"])
    assert defaults["TF_KERAS"] in (ROOT / "Makefile").read_text()


def test_there_is_an_image_with_cuda_for_all_but_the_oldest() -> None:
    for runtime in sorted(set(RUNTIMES) - {"tf1.5"}):
        made = ask(runtime, CUDA="1")
        assert made.returncode == 0, made.stderr
        assert f"runtime-{runtime}-cuda:latest" in made.stdout
        assert (ROOT / find_file(made.stdout)).is_file()
    refused = ask("tf1.5", CUDA="1")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "choose tf1" in refused.stderr
