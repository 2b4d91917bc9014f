"""What the name of an image means to a runner of processes: a Python and the folders it needs."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from nsml_worker.errors import ImageMissing, NoPython

# Asked of a Python from 3.6 on, by that Python.
DESCRIBE = """
import json, os, platform, sys
print(json.dumps({
    "version": "%d.%d.%d" % sys.version_info[:3],
    "implementation": platform.python_implementation(),
    "prefix": sys.prefix,
    "base_prefix": sys.base_prefix,
    "sites": [path for path in sys.path if os.path.basename(path) in ("site-packages", "dist-packages")],
}))
"""
SECONDS = 30.0  # for an answer
OLDEST = (3, 6)


@dataclass(frozen=True)
class Interpreter:
    """A Python on this node. `prefixes` are the folders outside /usr that it needs to start and to import."""

    executable: str
    prefixes: tuple[str, ...] = ()

    @classmethod
    def current(cls) -> Interpreter:
        """The one this worker runs in, with everything installed beside it."""
        return cls(sys.executable, list_prefixes(sys.executable, sys.prefix, sys.base_prefix))

    @property
    def search_path(self) -> str:
        """PATH for its programs."""
        return f"{os.path.dirname(self.executable)}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"  # noqa: PTH120


@dataclass(frozen=True)
class Description:
    """What a Python says of itself. `sites` are the folders its packages are in, `base` the Python it was made from."""

    interpreter: Interpreter
    version: str
    implementation: str
    base: str
    sites: tuple[str, ...]

    @property
    def short_version(self) -> str:
        """ "3.6" of "3.6.15"."""
        return self.version.rpartition(".")[0]


def describe(executable: str) -> Description:
    """Ask a Python what it is; the same file is asked once.

    Raises:
        ImageMissing: there is no such file on this node.
        NoPython: it does not start, or is older than 3.6.
    """
    try:
        changed_at = Path(executable).stat().st_mtime
    except OSError as error:
        raise ImageMissing(f"this machine has no {executable} ({error.strerror})") from error
    return _ask(executable, changed_at)


@functools.lru_cache(maxsize=64)
def _ask(executable: str, _: float) -> Description:
    try:
        done = subprocess.run(
            [executable, "-I", "-c", DESCRIBE], capture_output=True, timeout=SECONDS, check=True, env={}, cwd="/"
        )
        said = json.loads(done.stdout)
        version = tuple(int(part) for part in said["version"].split("."))
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        raise NoPython(f"{executable} is no Python that starts here: {error}.") from error
    if version[:2] < OLDEST:
        raise NoPython(f"{executable} is Python {said['version']}; 3.6 or newer is needed.")
    base_prefix = str(said["base_prefix"])
    return Description(
        interpreter=Interpreter(executable, list_prefixes(executable, str(said["prefix"]), base_prefix)),
        version=said["version"],
        implementation=said["implementation"],
        base=f"{base_prefix}/bin/python{version[0]}.{version[1]}",
        sites=tuple(said["sites"]),
    )


def list_prefixes(executable: str, prefix: str, base_prefix: str) -> tuple[str, ...]:
    """The folders outside /usr that a Python needs, wherever links lead."""
    real = Path(os.path.realpath(executable)).parent.parent
    found = {prefix, base_prefix, os.path.realpath(base_prefix), str(real)}
    return tuple(sorted(path for path in found if not Path(path).is_relative_to("/usr")))
