"""What is done in the box in which an environment is built. Run there, by the image's own Python; 3.6, standard library.

    python steps.py FOLDER

FOLDER holds `wanted.json`: {"packages": [...], "requirements": [...], "variables": {...}, "volumes": [...], "seconds": …}. It is
gone at the end: what configures pip and apt is not part of the environment. Exit status 0: everything is installed.
"""

# ruff: noqa: UP006, UP035  Python 3.6 has no list[str]

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Dict, List

MARK = "nsml: "  # begins a line of ours in what is written
NO_APT, NO_PIP, NO_PLACE = "no apt-get", "no pip", "no place"
LEFT_BY_APT = ("/var/lib/apt/lists", "/var/cache/apt")
APT = ("-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=60", "-o", "Dpkg::Use-Pty=0", "-qq")
PIP = ("--disable-pip-version-check", "--no-input", "install", "--no-cache-dir")


def install_packages(packages: List[str], variables: Dict[str, str]) -> int:
    """Debian's packages. Lists that cannot be fetched do not matter as long as the packages can."""
    if shutil.which("apt-get") is None:
        sys.exit(MARK + NO_APT)
    options = list(APT)
    if "SSL_CERT_FILE" in variables:
        options += ["-o", "Acquire::https::CAInfo=" + variables["SSL_CERT_FILE"]]
    run(["apt-get", *options, "update"])
    code = run(["apt-get", *options, "install", "-y", "--no-install-recommends", "--", *packages])
    for folder in LEFT_BY_APT:
        empty(Path(folder))
    return code


def install_requirements(requirements: List[str], volumes: List[str]) -> int:
    """Python's packages, into the Python that runs this; of what lies in `volumes` nothing is kept."""
    places = [sysconfig.get_paths()[kind] + "/" for kind in ("purelib", "platlib")]
    if any(place.startswith(volume + "/") for place in places for volume in volumes):
        sys.exit(MARK + NO_PLACE)
    if importlib.util.find_spec("pip") is None:
        sys.exit(MARK + NO_PIP)
    return run([sys.executable, "-m", "pip", *PIP, "--", *requirements])


def run(words: List[str]) -> int:
    """The exit status; what it writes is ours."""
    sys.stdout.flush()
    return subprocess.call(words, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, cwd="/")


def empty(folder: Path) -> None:
    """Take away what is in a folder."""
    for path in list(folder.iterdir()) if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(str(path), ignore_errors=True)
        else:
            path.unlink()


def main(folder: Path) -> int:
    """Install everything; returns the exit status."""
    os.umask(0o022)
    wanted = json.loads((folder / "wanted.json").read_text())
    signal.alarm(wanted["seconds"])  # a worker that was killed does not end it
    scratch = folder / "tmp"
    scratch.mkdir()
    os.environ.update(wanted["variables"])
    os.environ.update(HOME=str(scratch), TMPDIR=str(scratch), DEBIAN_FRONTEND="noninteractive", PYTHONUNBUFFERED="1")
    os.environ.update(PIP_PREFER_BINARY="1", PIP_BREAK_SYSTEM_PACKAGES="1", PIP_ROOT_USER_ACTION="ignore")
    code = install_packages(wanted["packages"], wanted["variables"]) if wanted["packages"] else 0
    if code == 0 and wanted["requirements"]:
        code = install_requirements(wanted["requirements"], wanted["volumes"])
    shutil.rmtree(str(folder))
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
