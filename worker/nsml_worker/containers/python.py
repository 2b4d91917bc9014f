"""Which Python an image has: looked for as its own PATH says, then where images usually put one."""

from __future__ import annotations

import itertools
import json
import posixpath
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import docker.errors
import requests

from nsml_worker.containers.engine import PROBE, Engine, explain, telling
from nsml_worker.containers.image import COVER, STANDARD_PATH, find_path, scrub_variables, volumes_of
from nsml_worker.errors import NoPython, PreparationStopped
from nsml_worker.interpreter import OLDEST

# Asked of whatever calls itself Python, also 2.7, by that Python. What is installed is read from names of folders alone.
DESCRIBE = r"""
import json, os, platform, sys
packages, debian = {}, {}
for folder in sys.path:
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        stem, ending = os.path.splitext(name)
        if ending in (".dist-info", ".egg-info") and "-" in stem:
            packages.setdefault(stem.split("-")[0], stem.split("-")[1])
try:
    for block in open("/var/lib/dpkg/status", "rb").read().decode("utf-8", "replace").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and line[0] != " ")
        if fields.get("Status") == "install ok installed":
            debian[fields["Package"]] = fields.get("Version", "")
except (IOError, KeyError):
    pass
print("\n" + json.dumps({
    "version": "%d.%d.%d" % sys.version_info[:3], "implementation": platform.python_implementation(),
    "packages": packages, "debian": debian,
}))
"""
SECONDS = 60.0  # for an answer: the first start in a large image reads much of it from disk
PATIENCE = 120.0  # seconds for all answers of an image
CANDIDATES = 20  # files called like a Python that are asked in one image
LOOK = 0.5  # seconds between two looks at whether a run was stopped
MEMORY = 512 * 2**20  # bytes
USUAL = ("/opt/conda/bin", "/opt/venv/bin", "/usr/local/bin", "/usr/bin", "/bin")
NAMES = ("python", "python3")
NEWER_NAMES = tuple(f"python3.{minor}" for minor in range(14, OLDEST[1] - 1, -1))
FOREIGN = "exec format error"
NOBODY = "65534:65534"
_VERSION = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class ImagePython:
    """A Python in an image. `path` is PATH for its programs; `packages` and `debian` name → version of what is installed."""

    executable: str
    path: str
    version: str
    implementation: str
    packages: Mapping[str, str]
    debian: Mapping[str, str]


class Pythons:
    """Looks into images, into each once. Its callers see to it that no two look into the same image at a time."""

    def __init__(self, engine: Engine, runtime: str | None = None) -> None:
        """`runtime`: the OCI runtime of everything that is run here; None for the engine's own."""
        self._engine = engine
        self._runtime = runtime
        self._known: dict[str, ImagePython] = {}

    def find(self, image: str, name: str, stop: threading.Event) -> ImagePython:
        """The Python of an image.

        Args:
            image: its id.
            name: what people call it.
            stop: gives it up.

        Raises:
            NoPython: it has none, none that is new enough or answers, or is made for another processor.
            ImageMissing: it declares a volume that nothing can be laid over.
            PreparationStopped: see `stop`.
            EngineFailed: the engine's fault.
        """
        if image not in self._known:
            with telling(f"The image {name} cannot be looked into"):
                facts = self._engine.api.inspect_image(image)
            self._known[image] = _Look(self._engine, self._runtime, facts, name, stop).find()
        return self._known[image]


class _Look:
    """One image that is being looked into. It is a stranger's: what it has is bounded in number, and what it takes in time."""

    def __init__(
        self, engine: Engine, runtime: str | None, facts: Mapping[str, Any], name: str, stop: threading.Event
    ) -> None:
        self._engine = engine
        self._runtime = runtime
        self._facts = facts
        self._name = name
        self._stop = stop
        self._volumes = volumes_of(facts, name)
        self._until = time.monotonic() + PATIENCE

    def find(self) -> ImagePython:
        path = find_path(self._facts)
        too_old = ""
        for executable in itertools.islice(self._list_present(path), CANDIDATES):
            said = self._ask(executable)
            if FOREIGN in said.lower():
                raise NoPython(self._describe_foreign())
            found = read_answer(said, executable, path)
            if found is not None and is_new_enough(found.version):
                return found
            too_old = too_old or (found.version if found is not None else "")
        raise NoPython(self._describe_failure(too_old))

    def _list_present(self, path: str) -> Iterator[str]:
        """Where there may be a Python, the likeliest first. A box that is never started shows the files."""
        box = self._create(["/nothing"])
        folders = [folder for folder in dict.fromkeys((*path.split(":"), *USUAL)) if folder.startswith("/")]
        try:
            for names, folder in itertools.product((NAMES, NEWER_NAMES), folders):
                for file in (posixpath.join(folder, name) for name in names):
                    if self._is_over():
                        return
                    if self._has(box, file):
                        yield file
        finally:
            self._engine.remove(box)

    def _is_over(self) -> bool:
        if self._stop.is_set():
            raise PreparationStopped("Stopped while its image was being looked into.")
        return time.monotonic() > self._until

    def _has(self, box: str, path: str) -> bool:
        api = self._engine.api
        with telling("The files of an image cannot be looked at"):
            answer = api.head(f"{api.base_url}/v{api.api_version}/containers/{box}/archive", params={"path": path})
        return bool(answer.status_code == requests.codes.ok)

    def _ask(self, executable: str) -> str:
        """What it writes when it is asked what it is, or the engine's word on why it does not start."""
        box = self._create([executable, "-c", DESCRIBE])
        until = time.monotonic() + SECONDS
        try:
            self._engine.api.start(box)
            while self._engine.wait(box, LOOK) is None:
                if self._is_over() or time.monotonic() > until:
                    return ""
            said: bytes = self._engine.api.logs(box)
            return said.decode("utf-8", "replace")
        except docker.errors.APIError as error:
            return explain(error)
        except requests.RequestException:
            return ""
        finally:
            self._engine.remove(box)

    def _create(self, words: list[str]) -> str:
        """A box that can do nothing but answer."""
        api = self._engine.api
        host = api.create_host_config(
            network_mode="none", read_only=True, cap_drop=["ALL"], security_opt=["no-new-privileges"],
            mem_limit=MEMORY, memswap_limit=MEMORY, pids_limit=64, nano_cpus=10**9, runtime=self._runtime,
            tmpfs=dict.fromkeys(self._volumes, COVER), log_config={"Type": "json-file", "Config": {"max-size": "4m", "max-file": "1"}},
        )  # fmt: skip
        with telling("A box that looks into an image cannot be made"):
            made = api.create_container(
                self._facts["Id"], entrypoint=words[:1], command=words[1:], user=NOBODY, host_config=host,
                working_dir="/", environment=scrub_variables(self._facts), labels=self._engine.labels(PROBE),
                healthcheck={"test": ["NONE"]},
            )  # fmt: skip
        return str(made["Id"])

    def _describe_failure(self, too_old: str) -> str:
        if too_old:
            return f"The Python of {self._name} is {too_old}; 3.6 or newer is needed"
        if self._is_over():
            return f"No Python of {self._name} said what it is within {PATIENCE:g} seconds; name an image in which `python` starts"
        covered = f", and nothing below its volumes ({', '.join(self._volumes)}) is seen" if self._volumes else ""
        return f"{self._name} has no Python{covered}; name an image in which `python` starts"

    def _describe_foreign(self) -> str:
        with telling("The engine does not say what machine it is on"):
            own = str(self._engine.api.info().get("Architecture", ""))
        theirs = str(self._facts.get("Architecture", "another"))
        own = _ARCHITECTURES.get(own, own)
        said = f"its image says {theirs}" if theirs == own else f"it is made for {theirs}"
        return f"The programs of {self._name} do not run on this machine's processor ({own}): {said}, and the engine says {FOREIGN}"


def is_new_enough(version: str) -> bool:
    """Whether the SDK runs on it."""
    return tuple(int(part) for part in version.split(".")[:2]) >= OLDEST


def read_answer(said: str, executable: str, path: str) -> ImagePython | None:
    """What a Python said of itself; None when that was no Python. An image is a stranger's: nothing is taken as it comes."""
    try:
        facts = json.loads(said.strip().rpartition("\n")[2])
        version, implementation = str(facts["version"]), str(facts["implementation"])
        packages = {str(name): str(value) for name, value in facts["packages"].items()}
        debian = {str(name): str(value) for name, value in facts["debian"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not _VERSION.fullmatch(version):
        return None
    folders = dict.fromkeys((posixpath.dirname(executable), *path.split(":"), *STANDARD_PATH.split(":")))
    return ImagePython(executable, ":".join(folders), version, implementation, packages, debian)
