"""Which Python an image has: looked for as its own PATH says, then where images usually put one."""

from __future__ import annotations

import json
import posixpath
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import docker.errors
import requests

from nsml_worker.containers.engine import PROBE, Engine, explain, telling
from nsml_worker.errors import NoPython
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
MEMORY = 512 * 2**20  # bytes
USUAL = ("/opt/conda/bin", "/opt/venv/bin", "/usr/local/bin", "/usr/bin", "/bin")
STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NAMES = ("python", "python3")
NEWER_NAMES = tuple(f"python3.{minor}" for minor in range(14, OLDEST[1] - 1, -1))
FOREIGN = "exec format error"
NOBODY = "65534:65534"
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
    """Looks into images; each is looked into once. Every method may be called by any thread."""

    def __init__(self, engine: Engine, runtime: str | None = None) -> None:
        """`runtime`: the OCI runtime of everything that is run here; None for the engine's own."""
        self._engine = engine
        self._runtime = runtime
        self._known: dict[str, ImagePython] = {}
        self._lock = threading.Lock()

    def find(self, image: str, name: str) -> ImagePython:
        """The Python of an image.

        Args:
            image: its id.
            name: what people call it.

        Raises:
            NoPython: it has none, none that is new enough, or is made for another processor.
            EngineFailed: the engine's fault.
        """
        found = self._known.get(image)
        if found is not None:
            return found
        with self._lock:  # one look at a time: whoever waits mostly waits for the same image
            if image not in self._known:
                self._known[image] = self._look(image, name)
            return self._known[image]

    def _look(self, image: str, name: str) -> ImagePython:
        with telling(f"The image {name} cannot be looked into"):
            facts = self._engine.api.inspect_image(image)
        path = find_path(facts)
        too_old = ""
        for executable in self._list_present(image, path):
            said = self._ask(image, executable)
            if FOREIGN in said.lower():
                raise NoPython(self._describe_foreign(name, facts))
            found = read_answer(said, executable, path)
            if found is not None and is_new_enough(found.version):
                return found
            too_old = found.version if found is not None and not too_old else too_old
        if too_old:
            raise NoPython(f"The Python of {name} is {too_old}; 3.6 or newer is needed")
        raise NoPython(f"{name} has no Python; name an image in which `python` starts")

    def _list_present(self, image: str, path: str) -> Iterator[str]:
        """Where there may be a Python, the likeliest first. A box that is never started shows the files."""
        box = self._create(image, ["/nothing"])
        try:
            for names in (NAMES, NEWER_NAMES):
                for folder in dict.fromkeys((*path.split(":"), *USUAL)):
                    for name in names:
                        if folder.startswith("/") and self._has(box, posixpath.join(folder, name)):
                            yield posixpath.join(folder, name)
        finally:
            self._engine.remove(box)

    def _has(self, box: str, path: str) -> bool:
        api = self._engine.api
        with telling("The files of an image cannot be looked at"):
            answer = api.head(f"{api.base_url}/v{api.api_version}/containers/{box}/archive", params={"path": path})
        return bool(answer.status_code == requests.codes.ok)

    def _ask(self, image: str, executable: str) -> str:
        """What it writes when it is asked what it is, or the engine's word on why it does not start."""
        box = self._create(image, [executable, "-c", DESCRIBE])
        try:
            self._engine.api.start(box)
            self._engine.api.wait(box, timeout=SECONDS)
            said: bytes = self._engine.api.logs(box)
            return said.decode("utf-8", "replace")
        except docker.errors.APIError as error:
            return explain(error)
        except requests.RequestException:
            return ""
        finally:
            self._engine.remove(box)

    def _create(self, image: str, words: list[str]) -> str:
        """A box that can do nothing but answer."""
        api = self._engine.api
        host = api.create_host_config(
            network_mode="none", read_only=True, cap_drop=["ALL"], security_opt=["no-new-privileges"],
            mem_limit=MEMORY, memswap_limit=MEMORY, pids_limit=64, runtime=self._runtime,
            log_config={"Type": "json-file", "Config": {"max-size": "4m", "max-file": "1"}},
        )  # fmt: skip
        with telling("A box that looks into an image cannot be made"):
            made = api.create_container(
                image, entrypoint=words[:1], command=words[1:], user=NOBODY, host_config=host, working_dir="/",
                environment=blank_variables(api.inspect_image(image)), labels=self._engine.labels(PROBE),
                healthcheck={"test": ["NONE"]},
            )  # fmt: skip
        return str(made["Id"])

    def _describe_foreign(self, name: str, facts: Mapping[str, Any]) -> str:
        with telling("The engine does not say what machine it is on"):
            own = str(self._engine.api.info().get("Architecture", ""))
        theirs = str(facts.get("Architecture", "another"))
        own = _ARCHITECTURES.get(own, own)
        said = f"its image says {theirs}" if theirs == own else f"it is made for {theirs}"
        return f"The programs of {name} do not run on this machine's processor ({own}): {said}, and the engine says {FOREIGN}"


def find_path(facts: Mapping[str, Any]) -> str:
    """PATH as an image sets it."""
    return variables_of(facts).get("PATH") or STANDARD_PATH


def variables_of(facts: Mapping[str, Any]) -> dict[str, str]:
    """The variables an image sets."""
    pairs = ((facts.get("Config") or {}).get("Env")) or ()
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def blank_variables(facts: Mapping[str, Any]) -> dict[str, str]:
    """Those of an image that could change what a Python or the loader does, without a value."""
    return {name: "" for name in variables_of(facts) if name.startswith(("LD_", "PYTHON", "NVIDIA_"))}


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
        is_new_enough(version)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    folders = dict.fromkeys((posixpath.dirname(executable), *path.split(":"), *STANDARD_PATH.split(":")))
    return ImagePython(executable, ":".join(folders), version, implementation, packages, debian)
