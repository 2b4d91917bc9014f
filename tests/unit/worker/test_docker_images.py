"""Images and environments of containers: what is decided without an engine."""

import dataclasses
import io
import json
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from nsml_worker.containers.build import describe_failure, find_last_step, pack
from nsml_worker.containers.environments import Changes
from nsml_worker.containers.image import scrub_variables, volumes_of
from nsml_worker.containers.pull import Progress, find_login
from nsml_worker.containers.python import ImagePython, read_answer
from nsml_worker.containers.recipe import Recipe, key_of, make_recipe
from nsml_worker.containers.site import ImageSite, has_registry
from nsml_worker.contract import Environment
from nsml_worker.errors import EngineFailed, ImageMissing

PYTHON = ImagePython(
    "/usr/bin/python3", "/usr/bin", "3.6.15", "CPython", {"numpy": "1.16.4", "scikit_learn": "0.20"}, {"g++": "4:12.2"}
)
RECIPE = Recipe("sha256:1", "team/speech:2", "/usr/bin/python3", ("konlpy>=0.5",), ("g++",), "key")


# Progress of a pull ------------------------------------------------------------------------------------------------


def line(status: str, layer: str = "", **detail: int) -> dict[str, Any]:
    return {"status": status, "id": layer, "progressDetail": detail}


def test_a_pull_is_told_in_layers_and_megabytes() -> None:
    progress = Progress("x:1")
    assert progress.text == "Pulling x:1"
    for layer in ("a", "b", "c"):
        progress.add(line("Pulling fs layer", layer))
    progress.add(line("Already exists", "d"))
    assert progress.text == "Pulling x:1: 1 of 4 layers, 0 MB so far"
    progress.add(line("Downloading", "a", current=100_000_000, total=200_000_000))
    assert progress.text == "Pulling x:1: 1 of 4 layers, 100 MB so far"
    for layer in ("b", "c"):
        progress.add(line("Downloading", layer, current=10_000_000, total=140_000_000))
    assert progress.text == "Pulling x:1: 1 of 4 layers, 120 of 480 MB"
    for layer in ("a", "b", "c"):
        progress.add(line("Download complete", layer))
    progress.add(line("Extracting", "a", current=1, total=200_000_000))
    assert progress.text == "Pulling x:1: 1 of 4 layers, unpacking"
    for layer in ("a", "b", "c"):
        progress.add(line("Pull complete", layer))
    assert progress.text == "Pulling x:1: 4 of 4 layers"


@pytest.mark.parametrize("strange", [{}, {"status": None}, {"status": "Downloading", "id": "a"}, line("Status: done")])
def test_lines_that_say_nothing_are_passed_over(strange: dict[str, Any]) -> None:
    progress = Progress("x:1")
    progress.add(strange)
    assert progress.text == "Pulling x:1"


# Credentials -------------------------------------------------------------------------------------------------------


def test_the_operators_file_opens_only_the_registry_it_names(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"auths": {"registry.test:5000": {"auth": "bWluYTpzZWNyZXQ="}}}))
    login = find_login("registry.test:5000/team/image:1", config)
    assert (login["username"], login["password"]) == ("mina", "secret")
    assert find_login("elsewhere.test/team/image:1", config) == {}
    assert find_login("python:3.11", config) == {}
    assert find_login("registry.test:5000/x", None) == {}


@pytest.mark.parametrize("text", ["", "no json", '["a"]'])
def test_a_file_that_is_no_config_of_docker_is_told(tmp_path: Path, text: str) -> None:
    config = tmp_path / "config.json"
    config.write_text(text)
    with pytest.raises(EngineFailed, match="NSML_REGISTRY_AUTH"):
        find_login("a.test/x:1", config)
    with pytest.raises(EngineFailed, match="NSML_REGISTRY_AUTH"):
        find_login("a.test/x:1", tmp_path / "missing")


# What a Python says of itself --------------------------------------------------------------------------------------


def test_an_answer_counts_also_behind_other_output() -> None:
    facts = {"version": "3.8.1", "implementation": "CPython", "packages": {"a": "1"}, "debian": {}}
    found = read_answer(f"welcome\n\n{json.dumps(facts)}\n", "/opt/conda/bin/python", "/a:/usr/bin")
    assert found is not None
    assert found.version == "3.8.1"
    assert found.path.split(":")[:3] == ["/opt/conda/bin", "/a", "/usr/bin"]
    assert len(set(found.path.split(":"))) == len(found.path.split(":"))


@pytest.mark.parametrize(
    "said",
    [
        "",
        "exec: no such file",
        "{}",
        "[]",
        '{"version": 3, "implementation": "x", "packages": [], "debian": {}}',
        '{"version": "a.b", "implementation": "x", "packages": {}, "debian": {}}',
        '{"version": "3.9.x.y", "implementation": "x", "packages": {}, "debian": {}}',
        "[" * 200_000,
    ],
)
def test_anything_else_is_no_python(said: str) -> None:
    assert read_answer(said, "/python", "/") is None


def test_what_would_change_a_python_is_taken_from_an_images_variables() -> None:
    names = ("LD_PRELOAD", "PYTHONPATH", "NVIDIA_VISIBLE_DEVICES", "PATH", "LANG", "BASH_ENV")
    facts = {"Config": {"Env": [f"{name}=x" for name in names]}}
    assert scrub_variables(facts) == ["NVIDIA_VISIBLE_DEVICES=void", "LD_PRELOAD", "PYTHONPATH", "BASH_ENV"]
    assert scrub_variables({"Config": {"Env": None}}) == ["NVIDIA_VISIBLE_DEVICES=void"]


def declaring(*volumes: str) -> dict[str, Any]:
    return {"Config": {"Volumes": {volume: {} for volume in volumes}}}


def test_volumes_are_understood_as_the_engine_does() -> None:
    assert volumes_of(declaring("/models", "//app", "data", "/a/../b/"), "x") == ("/models", "/app", "/data", "/b")
    assert volumes_of({"Config": {"Volumes": None}}, "x") == ()


@pytest.mark.parametrize("volume", ["/", "//", "/..", ".", "/proc", "/proc/sys", "/sdk/nsml"])
def test_a_volume_that_nothing_can_be_laid_over_is_the_image_s_fault(volume: str) -> None:
    with pytest.raises(ImageMissing, match="team/speech:2 cannot be used"):
        volumes_of(declaring("/models", volume), "team/speech:2")


def test_an_image_with_volumes_without_end_is_refused() -> None:
    with pytest.raises(ImageMissing, match="declares 1,000 volumes"):
        volumes_of(declaring(*map(str, range(1000))), "x")


# What has to be installed, and its key -----------------------------------------------------------------------------


def test_only_what_an_image_lacks_is_installed() -> None:
    wanted = Environment(
        requirements=("numpy>=1.16", "scikit-learn", "torch==1.1", "enum34; python_version<'3.4'", "numpy[x]"),
        packages=("g++", "tree", "g++=4:12.2", "g++=1"),
    )
    recipe = make_recipe(wanted, "sha256:1", "x", PYTHON)
    assert recipe.requirements == ("torch==1.1", "numpy[x]")
    assert recipe.packages == ("tree", "g++=1")


def test_git_comes_with_what_is_fetched_by_it() -> None:
    wanted = Environment(requirements=("numpy", "git+https://host.test/x.git"), packages=("tree",))
    assert make_recipe(wanted, "sha256:1", "x", PYTHON).packages == ("tree", "git")
    has_git = dataclasses.replace(PYTHON, debian={"git": "1:2.39"})
    assert make_recipe(wanted, "sha256:1", "x", has_git).packages == ("tree",)
    assert make_recipe(Environment(requirements=("numpy",)), "sha256:1", "x", PYTHON).packages == ()


def test_a_package_with_an_address_is_installed_whatever_is_there() -> None:
    wanted = Environment(requirements=("numpy @ https://host.test/numpy-1.16.4.tar.gz",))
    assert make_recipe(wanted, "sha256:1", "x", PYTHON).requirements == wanted.requirements


def test_an_address_is_another_with_other_letters() -> None:
    assert key_of("i", ("https://host.test/A",), ()) != key_of("i", ("https://host.test/a",), ())


def test_a_key_is_the_same_for_the_same_needs_in_any_order_and_differs_otherwise() -> None:
    assert key_of("i", ("a", "B  >1"), ("x", "y")) == key_of("i", ("b >1", "a"), ("y", "x", "x"))
    assert (
        len({key_of("i", ("a",), ()), key_of("j", ("a",), ()), key_of("i", (), ("a",)), key_of("i", ("b",), ())}) == 4
    )


def test_a_runtime_is_named_below_the_prefix() -> None:
    assert ImageSite().reference_of("tf1.5") == "nsmlctl/runtime-tf1.5:latest"
    assert ImageSite().reference_of("tf1-on-2") == "nsmlctl/runtime-default:latest"
    site = ImageSite(prefix="registry.test/nsml/", tag="1.2", cuda=True)
    assert site.reference_of("default") == "registry.test/nsml/runtime-default-cuda:1.2"
    assert site.runtime_of("registry.test/nsml/runtime-our-own-cuda:1.2") == "our-own"
    others = ("registry.test/nsml/runtime-default:1.2", "nsmlctl/runtime-tf1:latest", "python:3.11")
    assert [site.runtime_of(reference) for reference in others] == ["", "", ""]
    assert ImageSite().runtime_of("nsmlctl/runtime-tf1.5:latest") == "tf1.5"
    assert ImageSite().runtime_of("nsmlctl/runtime-tf1-cuda:latest") == ""


def test_a_prefix_with_a_registry_is_told_from_one_without() -> None:
    assert [has_registry(prefix) for prefix in ("nsmlctl/", "", "localhost/", "a.test/b/", "a:5000/")] == [
        False, False, True, True, True,
    ]  # fmt: skip


# The box in which an environment is built --------------------------------------------------------------------------


def test_files_that_configure_pip_go_along_and_folders_of_the_node_do_not(tmp_path: Path) -> None:
    certificate = tmp_path / "ca.pem"
    certificate.write_bytes(b"certificate")
    variables = {
        "PIP_CERT": str(certificate),
        "PIP_INDEX_URL": "https://index.test/simple",
        "PIP_FIND_LINKS": "/opt/wheels",
        "PIP_CONFIG_FILE": str(tmp_path / "missing"),
        "https_proxy": "http://proxy.test:3128",
    }
    with tarfile.open(fileobj=io.BytesIO(pack(RECIPE, variables))) as tar:
        files = {entry.name: tar.extractfile(entry) for entry in tar if entry.isfile()}
        found = {name: file.read() for name, file in files.items() if file is not None}
    assert found["nsml-build/PIP_CERT"] == b"certificate"
    wanted = json.loads(found["nsml-build/wanted.json"])
    assert wanted["variables"] == {
        "PIP_CERT": "/nsml-build/PIP_CERT",
        "PIP_INDEX_URL": "https://index.test/simple",
        "https_proxy": "http://proxy.test:3128",
    }
    assert (wanted["requirements"], wanted["packages"]) == (["konlpy>=0.5"], ["g++"])
    assert b"def main" in found["nsml-build/steps.py"]


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("nsml: no apt-get\n", "team/speech:2 has no apt-get for g++"),
        ("nsml: no pip\n", "the Python of team/speech:2 has no pip for konlpy>=0.5"),
        (
            "nsml: no place\n",
            "the Python of team/speech:2 keeps its packages in a VOLUME, and nothing that is installed there stays",
        ),
        (
            "W: old\nE: Unable to locate package x\nE: Unable to locate package x\n",
            "apt-get: Unable to locate package x",
        ),
        ("E: The list is gone.\nCollecting x\nERROR: No matching distribution found for x\n", "No matching distribution found for x"),
        ("", "pip ended with 7 and gave no reason"),
    ],
)  # fmt: skip
def test_a_failure_is_told_in_the_words_of_whoever_refused(output: str, said: str) -> None:
    assert describe_failure(output, RECIPE, 7) == said


@pytest.mark.parametrize(
    ("output", "step"),
    [
        ("", ""),
        ("Get:1 http://deb.test x\nReading lists\n", ""),
        ("Collecting a\n  Downloading https://user:pw@index.test/a/b/a-1.whl (12 kB)\nnoise\n", "Downloading a-1.whl (12 kB)"),
        ("Collecting https://user:pw@index.test?token=1\n", "Collecting"),
        ("Unpacking tree (2.1) ...\nSetting up tree (2.1) ...\n", "Setting up tree (2.1) ..."),
    ],
)  # fmt: skip
def test_the_last_step_is_told_without_addresses(output: str, step: str) -> None:
    assert find_last_step(output) == step


@pytest.mark.parametrize("piece", ["a", "lines of output]", "x://", "/", " ", "Collecting ", "\n", "E:", "ERROR:"])
def test_no_output_of_strangers_keeps_the_worker_busy(piece: str) -> None:
    """A look at it holds all threads up, those too that say that this machine lives."""
    output = "Collecting " + piece * (2**22 // len(piece))
    began = time.process_time()
    find_last_step(output)
    describe_failure(output, RECIPE, 1)
    assert time.process_time() - began < 1


# Pace --------------------------------------------------------------------------------------------------------------


def test_progress_is_told_once_a_second_and_never_twice() -> None:
    now = [0.0]
    told: list[str] = []
    tell = Changes(told.append, clock=lambda: now[0])
    for at, text in ((0.0, "a"), (0.5, "b"), (1.5, "a"), (1.6, "c"), (3.0, "c")):
        now[0] = at
        tell(text)
    assert told == ["a", "c"]
