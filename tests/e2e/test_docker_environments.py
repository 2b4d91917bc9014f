"""A program that names an image, a package of pip and one of Debian, on a platform whose boxes are containers."""

import io
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

SETTINGS = {"NSML_RUNNER": "docker", "NSML_BUILD_NETWORK": "host"}
PROGRAM = """
import shutil, sys
import humanize
import nsml
print(humanize.__version__, shutil.which("tree"), sys.version_info[:2], nsml.__name__)
"""
STEPS = r"^(Installing|Collecting|Downloading|Building wheel|Preparing metadata|Unpacking|Setting up|Keeping) "
# Whoever installs something with its apt never comes to an end.
ENDLESS = """FROM {base}
RUN echo 'APT::Update::Pre-Invoke {{ "sleep 3600"; }};' >/etc/apt/apt.conf.d/endless
"""
SETUP = """#nsml: team/speech:2
from distutils.core import setup
setup(name="speech", version="1", install_requires=["humanize==4.10.0"])
"""


@pytest.fixture(scope="module")
def speech(platform: Any, base_image: str) -> Any:
    """The platform, with an image of the team's."""
    platform.ctl("image", "add", "team/speech:2", f"docker:{base_image}")
    return platform


@pytest.fixture
def endless(speech: Any, docker_engine: Any, base_image: str) -> Iterator[str]:
    """The platform's name of an image whose apt never comes to an end."""
    name = f"{base_image}-endless"
    list(docker_engine.build(fileobj=io.BytesIO(ENDLESS.format(base=base_image).encode()), tag=name, rm=True))
    speech.ctl("image", "add", "endless", f"docker:{name}")
    yield "endless"
    docker_engine.remove_image(name, force=True)


def count_built(platform: Any) -> int:
    log: str = (platform.data / "worker.log").read_text()
    return log.count("environment_made")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(PROGRAM)
    (tmp_path / "setup.py").write_text(SETUP)
    (tmp_path / "nsml_package.txt").write_text("tree\n")
    return tmp_path


def test_an_environment_is_built_once_and_its_progress_is_seen_by_whoever_waits(speech: Any, folder: Path) -> None:
    first = speech.ctl("run", "-c", "1", cwd=folder, timeout=600)
    assert re.search(STEPS, first.stderr, re.M)
    assert "Session mina/None/1 is started" in first.stdout
    assert speech.wait_for("mina/None/1")["status"] == "Exited"
    assert speech.ctl("logs", "mina/None/1").stdout.strip() == "4.10.0 /usr/bin/tree (3, 11) nsml"
    second = speech.ctl("run", "-c", "1", cwd=folder)
    assert "Installing" not in second.stderr
    assert speech.wait_for("mina/None/2")["status"] == "Exited"
    assert count_built(speech) == 1


def test_a_package_that_does_not_exist_is_told_in_pips_words(speech: Any, folder: Path) -> None:
    (folder / "setup.py").write_text(SETUP.replace("humanize==4.10.0", "no-such-package-of-ours"))
    failed = speech.ctl("run", "-c", "1", cwd=folder, check=False)
    assert failed.returncode == 1
    assert "No matching distribution found for no-such-package-of-ours" in failed.stderr


def test_an_image_that_cannot_be_had_is_told_in_the_engines_words(speech: Any, folder: Path) -> None:
    speech.ctl("image", "add", "gone", "docker:127.0.0.1:1/gone:1")
    (folder / "setup.py").write_text("#nsml: gone\n")
    failed = speech.ctl("run", "-c", "1", cwd=folder, check=False)
    assert failed.returncode == 1
    assert "127.0.0.1:1/gone:1 cannot be pulled" in failed.stderr
    assert "connection refused" in failed.stderr


def test_a_stop_ends_a_build_and_keeps_nothing_of_it(
    speech: Any, folder: Path, endless: str, docker_engine: Any, wait_until: Any
) -> None:
    (folder / "setup.py").write_text(f"#nsml: {endless}\n")
    built = count_built(speech)

    def list_building() -> list[str]:
        rows = speech.json("ps")["sessions"]
        return [row["name"] for row in rows if re.match(STEPS, row["message"] or "")]

    with ThreadPoolExecutor(1) as people:
        told = people.submit(speech.ctl, "run", "-c", "1", cwd=folder, check=False)
        (name,) = wait_until(list_building, lambda: speech.json("ps", "-a"))
        speech.ctl("stop", name)
        assert speech.wait_for(name)["status"] == "Stopped"
        told.result()
    own = {"label": [f"nsml.folder={speech.data / 'worker'}", "nsml.kind=build"]}
    wait_until(lambda: docker_engine.containers(all=True, filters=own) == [])
    assert count_built(speech) == built
