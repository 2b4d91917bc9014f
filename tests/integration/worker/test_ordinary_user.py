"""The same sealing without root: what most people's `nsmlctl up` runs with."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

NOBODY = 65534
PROGRAM = """
import sys
from pathlib import Path
from nsml_worker.confinement import LADDER
from nsml_worker.interpreter import Interpreter
from nsml_worker.probing import choose_confinement
from nsml_worker.sdk_folder import write_sdk
folder = Path(sys.argv[1])
images = {"default": Interpreter.current()}
print(choose_confinement("auto", images, write_sdk(folder / "sdk"), folder / "probe").name)
"""


def find_python() -> str:
    """A Python of this version that everybody may start; a test runner's own may lie in somebody's home."""
    version = "import sys; print(sys.version_info[:2])"
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            done = subprocess.run([python, "-c", version], user=NOBODY, group=NOBODY, capture_output=True, text=True)
        except OSError:
            continue
        if done.stdout.strip() == str(sys.version_info[:2]):
            return python
    if os.environ.get("CI") == "true":
        raise AssertionError("no Python of this version that another user may start")
    pytest.skip("no Python of this version that another user may start")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.skipif(
    os.environ.get("CI") != "true" and shutil.which("bwrap") is None,
    reason="bubblewrap is missing: apt-get install bubblewrap",
)
def test_bubblewrap_seals_boxes_without_root(site: Any) -> None:
    folder = site.folder / "theirs"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    done = subprocess.run(
        [find_python(), "-c", PROGRAM, str(folder)],
        user=NOBODY,
        group=NOBODY,
        extra_groups=(),
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(path for path in sys.path if Path(path).is_dir())},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1:] == ["bubblewrap"], done.stdout + done.stderr
