"""Makes one environment: a virtual environment over a Python of this node, and pip run in a box of its own.

What pip runs is strangers' code: a package may execute anything while it is built. So pip gets a network and the folder it
fills, and nothing else: no uploaded code, no dataset, no token, none of the worker's variables but those that configure pip.
"""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nsml_worker.box_plan import SDK, find_system_binds
from nsml_worker.cancellation import Cancellation
from nsml_worker.confinement import Bind, Confinement, Plan
from nsml_worker.errors import EnvironmentFailed
from nsml_worker.interpreter import Description, Interpreter
from nsml_worker.settings import holds_login

BUILDER_UID = 61183  # the last one before those of the boxes
BUILD_SECONDS = 1500.0  # below the server's own limit for a preparation, so that the reason is pip's
MAX_LINES, MAX_LINE = 500, 4096  # lines of pip's output that are looked at, and characters of each
MAX_OUTPUT = 256 * 1024  # characters of all of them
MAX_TOLD = 150  # characters of a line that shows progress
LAST_WORDS = 4  # lines of what a package that could not be built wrote last
MAX_REASON = 800  # characters of it that are told
MARK = 'exec 9> /dev/null; exec "$@"'  # a launcher of boxes tells its supervisor, on descriptor 9; here nobody listens
# Files of the node that pip may need, beyond what every box sees.
NETWORK_FILES = ("/etc/resolv.conf", "/etc/gai.conf")
PIP_CONFIG = "/etc/pip.conf"  # unless it holds a login
PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--no-cache-dir", "--prefer-binary")
_NAMING_A_PATH = frozenset({"PIP_CERT", "PIP_CONFIG_FILE", "PIP_FIND_LINKS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"})
_QUOTE, _UNQUOTE = "lines of output]", "[end of output]"  # how pip quotes a package's own build, since its version 22
# How lines of pip and dpkg begin that say what is being done.
_STEPS = (
    "Collecting ", "Downloading ", "Building wheel ", "Installing collected packages", "Preparing metadata ", "Unpacking ",
    "Setting up ",
)  # fmt: skip

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Site:
    """Where an environment is made: its folder, a scratch folder, and how strangers' code is sealed there."""

    folder: Path
    scratch: Path
    confinement: Confinement

    @property
    def interpreter(self) -> str:
        """Its Python."""
        return str(self.folder / "bin/python")

    @property
    def uid(self) -> int | None:
        """The user pip runs as; None: the worker's own."""
        return BUILDER_UID if os.geteuid() == 0 and self.confinement.name != "none" else None


def build(
    site: Site,
    python: Description,
    requirements: tuple[str, ...],
    variables: Mapping[str, str],
    tell: Tell,
    cancellation: Cancellation,
) -> Interpreter:
    """Fill the folder; returns the Python of the environment.

    Args:
        requirements: checked by the server: names and versions, and addresses with https://.
        variables: those that configure pip; it gets no others of the worker's.
        tell: is given what pip is doing.

    Raises:
        EnvironmentFailed: with what pip said.
        PreparationStopped: it was cancelled.
    """
    make_skeleton(site.folder, python)
    hand_over(site)
    output = run_pip(site, python, requirements, variables, tell, cancellation)
    cancellation.check()
    if output is not None:
        raise EnvironmentFailed(redact(find_reason(output), variables))
    return Interpreter(site.interpreter, (*python.interpreter.prefixes, str(site.folder)))


def make_skeleton(folder: Path, python: Description) -> None:
    """An empty virtual environment that sees the packages of the Python it stands on, also where that is itself virtual.

    Raises:
        EnvironmentFailed: that Python cannot make one.
    """
    words = [python.base, "-I", "-m", "venv", "--without-pip", str(folder)]
    done = subprocess.run(words, capture_output=True, env={}, cwd="/", check=False)
    if done.returncode:
        raise EnvironmentFailed(
            f"{python.base} cannot make a virtual environment: {done.stderr.decode()[-MAX_REASON:]}"
        )
    site = folder / f"lib/python{python.short_version}/site-packages"
    # The SDK last, for children that drop PYTHONPATH; where boxes have no such folder, Python passes over the line.
    lines = [*(f"import site; site.addsitedir({path!r})" for path in python.sites), SDK]
    (site / "nsml_below.pth").write_text("\n".join(lines) + "\n")


def hand_over(site: Site) -> None:
    """Both folders to the user pip runs as."""
    site.scratch.mkdir(mode=0o700)
    if site.uid is None:
        return
    os.chown(site.scratch, site.uid, site.uid)
    for path in (site.folder, *site.folder.rglob("*")):
        os.chown(path, site.uid, site.uid, follow_symlinks=False)


def run_pip(
    site: Site,
    python: Description,
    requirements: tuple[str, ...],
    variables: Mapping[str, str],
    tell: Tell,
    cancellation: Cancellation,
) -> str | None:
    """Run pip to its end, or until it is cancelled; None when it went well, otherwise what it said."""
    scratch = "/tmp" if site.confinement.mounts else str(site.scratch)  # noqa: S108  the box's own
    plan = make_plan(site, python, variables, scratch)
    words = [*site.confinement.launch(plan), site.interpreter, *PIP, "--", *requirements]
    process = subprocess.Popen(
        ["/bin/sh", "-c", MARK, "sh", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=make_variables(variables, scratch),
        start_new_session=True,
    )
    late = threading.Event()
    deadline = threading.Timer(BUILD_SECONDS, _end_late, (process, late))
    deadline.daemon = True
    deadline.start()
    try:
        with cancellation.ending_by(functools.partial(_kill, process)):
            output = _follow(process, tell)
            code = process.wait()
    finally:
        deadline.cancel()
        _kill(process)
    if late.is_set():
        return f"ERROR: pip was not done after {BUILD_SECONDS:g} seconds"
    return output if code else None


def make_variables(variables: Mapping[str, str], scratch: str) -> dict[str, str]:
    """Every variable of pip, built from nothing but what configures it."""
    return {
        **variables,
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": scratch,
        "TMPDIR": scratch,
        "LANG": "C.UTF-8",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def make_plan(site: Site, python: Description, variables: Mapping[str, str], scratch: str) -> Plan:
    """What pip sees of the node, where the confinement can limit that."""
    binds: list[Bind] = []
    if site.confinement.mounts:
        named = (value for name, value in variables.items() if name in _NAMING_A_PATH)
        known = NETWORK_FILES if holds_login("PIP_CONFIG_FILE", PIP_CONFIG) else (*NETWORK_FILES, PIP_CONFIG)
        paths = {path for path in (*known, *named) if path.startswith("/") and Path(path).exists()}
        binds = [
            Bind(os.path.realpath(path), path) for path in paths if not path.startswith(("/dev", "/etc/ssl/certs"))
        ]
        binds += [Bind(prefix, prefix) for prefix in python.interpreter.prefixes]
        binds += [Bind(str(site.folder), str(site.folder), "write"), Bind(str(site.scratch), scratch, "write")]
        binds = [*find_system_binds(), *sorted(binds, key=lambda bind: bind.target)]
    root = site.scratch.with_suffix(".root")
    root.mkdir(exist_ok=True)
    return Plan(tuple(binds), cwd=scratch, root=str(root), uid=site.uid, network=True)


def cut(output: str) -> str:
    """The end of what strangers' code wrote, without lines too long to be worth a look."""
    return "\n".join(line[:MAX_LINE] for line in output[-MAX_OUTPUT:].splitlines())


def find_step(line: str) -> str:
    """What is being done, where a line says so, without addresses; empty otherwise."""
    text = line[:MAX_LINE].strip()
    return " ".join(filter(None, map(_name_of, text.split())))[:MAX_TOLD] if text.startswith(_STEPS) else ""


def _name_of(word: str) -> str:
    """A word; of an address what stands last in its path."""
    _, sign, rest = word.partition("://")
    return rest.partition("?")[0].partition("#")[0].partition("/")[2].rpartition("/")[2] if sign else word


def find_reason(output: str) -> str:
    """What pip gives as the reason, in one line."""
    output = cut(output)
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    reasons = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    reason = " ".join(reasons or lines[-3:]) or "pip gave no reason"
    said, closed, _ = output.partition(_QUOTE)[2].partition(_UNQUOTE)
    if closed:
        collected = [line.split()[1] for line in lines if line.startswith("Collecting ") and len(line.split()) > 1]
        said = " | ".join(line.strip() for line in said.strip().splitlines()[-LAST_WORDS:])
        reason = f"{collected[-1] if collected else 'a package'} could not be built: {said}"
    if "Retrying (Retry(" in output:
        reason = f"the package index could not be reached. {reason}"
    return reason[:MAX_REASON].rstrip(".")


def redact(text: str, variables: Mapping[str, str]) -> str:
    """Without the logins of the variables that configure pip; pip hides its own, and what it builds does not."""
    for value in variables.values():
        for address in value.split():
            login = address.partition("://")[2].rpartition("@")[0]
            text = text.replace(login, "****") if login else text
    return text


def _follow(process: subprocess.Popen[bytes], tell: Tell) -> str:
    """The last of pip's lines; the ones that show progress are told as they come."""
    assert process.stdout is not None  # noqa: S101  asked for a pipe
    last: deque[str] = deque(maxlen=MAX_LINES)
    with process.stdout as stream:
        for raw in iter(lambda: stream.readline(MAX_LINE), b""):
            line = raw.decode("utf-8", "replace").rstrip()
            last.append(line)
            if step := find_step(line):
                tell(step)
    return "\n".join(last)


def _end_late(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Everything pip has started, as far as the group holds it together."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
