"""A program that names an image, a package of pip and one of Debian, on a platform whose boxes are containers."""

import re
import threading
import time
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
SETUP = """#nsml: team/speech:2
from distutils.core import setup
setup(name="speech", version="1", install_requires=["humanize==4.10.0"])
"""


@pytest.fixture(scope="module")
def speech(platform: Any, base_image: str, docker_engine: Any) -> Any:
    """The platform, with an image of the team's; what was built from it is taken away afterwards."""
    platform.ctl("image", "add", "team/speech:2", f"docker:{base_image}")
    yield platform
    own = {"label": [f"nsml.folder={platform.data / 'worker'}"]}
    platform.down()
    for image in docker_engine.images(filters=own):
        docker_engine.remove_image(image["Id"], force=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(PROGRAM)
    (tmp_path / "setup.py").write_text(SETUP)
    (tmp_path / "nsml_package.txt").write_text("tree\n")
    return tmp_path


def test_an_environment_is_built_once_and_its_progress_is_seen_by_whoever_waits(speech: Any, folder: Path) -> None:
    before = time.monotonic()
    first = speech.ctl("run", "-c", "1", cwd=folder)
    built = time.monotonic() - before
    assert re.search(
        r"^(Installing tree, humanize==4.10.0|Collecting|Downloading|Setting up tree|Keeping)", first.stderr, re.M
    )
    assert "Session mina/None/1 is started" in first.stdout
    assert speech.wait_for("mina/None/1")["status"] == "Exited"
    assert speech.ctl("logs", "mina/None/1").stdout.strip() == "4.10.0 /usr/bin/tree (3, 11) nsml"
    before = time.monotonic()
    second = speech.ctl("run", "-c", "1", cwd=folder)
    assert "Installing" not in second.stderr
    assert time.monotonic() - before < built / 2
    assert speech.wait_for("mina/None/2")["status"] == "Exited"


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


def test_a_stop_ends_a_build_at_once(speech: Any, folder: Path, docker_engine: Any) -> None:
    (folder / "setup.py").write_text(SETUP.replace("humanize==4.10.0", "torch==1.13.1"))
    thread = threading.Thread(target=lambda: speech.ctl("run", "-c", "1", cwd=folder, check=False))
    thread.start()
    until = time.monotonic() + 60
    while not (
        building := [
            row for row in speech.json("ps")["sessions"] if re.match("Installing|Collecting", row["message"] or "")
        ]
    ):
        assert time.monotonic() < until
        time.sleep(0.2)
    before = time.monotonic()
    speech.ctl("stop", building[0]["name"])
    assert speech.wait_for(building[0]["name"])["status"] == "Stopped"
    assert time.monotonic() - before < 10
    thread.join()
    own = {"label": [f"nsml.folder={speech.data / 'worker'}", "nsml.kind=build"]}
    assert docker_engine.containers(all=True, filters=own) == []
