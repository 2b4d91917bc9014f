"""What a program asks to have installed is installed once, beside nothing of anybody's, and kept for the next who asks."""

import contextlib
import functools
import io
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from nsml_worker.cancellation import Cancellation
from nsml_worker.confinement import LADDER
from nsml_worker.contract import EndReason, Environment, EventKind
from nsml_worker.environments import Environments
from nsml_worker.errors import EnvironmentFailed, ImageMissing, NoPython, PreparationStopped
from nsml_worker.installed import find_missing
from nsml_worker.interpreter import Interpreter, describe
from nsml_worker.memory_server import SECONDS


def write_wheel(folder: Path, name: str, version: str, source: str) -> None:
    """A wheel as an index has them."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: by-hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(path, text)


def write_source(folder: Path, name: str, program: str) -> None:
    """A source package that runs a program when it is built."""
    contents = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": program,
        "PKG-INFO": f"Metadata-Version: 1.0\nName: {name}\nVersion: 1.0\n",
    }
    with tarfile.open(folder / f"{name}-1.0.tar.gz", "w:gz") as archive:
        for path, text in contents.items():
            member = tarfile.TarInfo(f"{name}-1.0/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))


def write_repository(folder: Path, name: str, program: str) -> None:
    """A git repository with a source package, as a server of plain files gives it away."""
    work = folder / f"{name}-work"
    work.mkdir()
    (work / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (work / "backend.py").write_text(program)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@host.test", "-c", "init.defaultBranch=main", "-C"]
    for words in (
        ["init", "-q"],
        ["add", "."],
        ["commit", "-q", "-m", "x"],
        ["clone", "-q", "--bare", ".", f"../{name}.git"],
    ):
        subprocess.run([*git, str(work), *words], check=True)
    subprocess.run([*git, str(folder / f"{name}.git"), "update-server-info"], check=True)


@pytest.fixture
def index(site: Any) -> Path:
    """A package index that is a folder, so that no network is needed."""
    folder: Path = site.folder / "index"
    folder.mkdir(mode=0o755)
    write_wheel(folder, "greeting", "1.0", "TEXT = 'hello from 1.0'\n")
    write_wheel(folder, "greeting", "2.0", "TEXT = 'hello from 2.0'\n")
    return folder


@pytest.fixture
def address(index: Path) -> Iterator[str]:
    """Where the index is served, to whoever names its files one by one."""
    serve = functools.partial(SimpleHTTPRequestHandler, directory=str(index))
    server = ThreadingHTTPServer(("127.0.0.1", 0), serve)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def made(site: Any, index: Path) -> Callable[..., Environments]:
    """Environments of the site's confinement."""

    def make(**options: Any) -> Environments:
        variables = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_CONFIG_FILE": "/dev/null"}
        return Environments(
            site.folder / "environments", site.folder / "boxes", site.confinement, variables=variables, **options
        )

    return make


def box_at(site: Any, name: str) -> Path:
    folder: Path = site.folder / "boxes" / name
    folder.mkdir(parents=True)
    return folder


def needs(*requirements: str, **more: Any) -> Environment:
    return Environment(requirements=requirements, key="-".join(requirements), **more)


def texts(told: list[str]) -> Callable[[str], None]:
    return told.append


def test_what_is_installed_already_needs_no_environment(site: Any, made: Any) -> None:
    python = describe(sys.executable)
    assert find_missing(["pytest", "Packaging>=20", "numpy; python_version < '3'"], python) == ()
    assert find_missing(["pytest==0.1", "no-such-package"], python) == ("pytest==0.1", "no-such-package")
    told: list[str] = []
    chosen = made().prepare(needs("pytest"), Interpreter.current(), box_at(site, "1-1"), texts(told))
    assert chosen == Interpreter.current()
    assert told == []
    assert not (site.folder / "environments").exists()


@pytest.mark.parametrize("confinement", LADDER, ids=lambda one: one.name)
def test_what_is_missing_is_installed_over_the_python_that_is_there(site: Any, made: Any, confinement: Any) -> None:
    site.confine(confinement)
    box, told = box_at(site, "1-1"), []
    environments = made()
    chosen = environments.prepare(needs("greeting<2"), site.interpreter, box, texts(told))
    assert chosen.executable.startswith(f"{site.folder}/environments/")
    assert environments.find(box) == chosen
    assert told[0] == "Installing greeting<2"
    assert find_missing(["greeting==1.0"], describe(chosen.executable)) == ()
    assert list((site.folder / "environments").glob("*.scratch")) == []


# What a build backend has to have: here it writes down a wheel of its own.
BACKEND = """
import os, zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name, info = 'greeting-3.0-py3-none-any.whl', 'greeting-3.0.dist-info'
    with zipfile.ZipFile(os.path.join(folder, name), 'w') as wheel:
        wheel.writestr('greeting.py', 'TEXT = 1')
        wheel.writestr(info + '/METADATA', 'Metadata-Version: 2.1\\nName: greeting\\nVersion: 3.0\\n')
        wheel.writestr(info + '/WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
        wheel.writestr(info + '/RECORD', '')
    return name
"""


@pytest.mark.parametrize(
    ("asked", "version"),
    [("{}/greeting-1.0-py3-none-any.whl", "1.0"), ("greeting @ {}/greeting-1.0-py3-none-any.whl", "1.0"),
     ("git+{}/greeting.git@main#egg=greeting", "3.0")],
)  # fmt: skip
def test_a_package_may_be_named_by_its_address(
    site: Any, made: Any, index: Path, address: str, asked: str, version: str
) -> None:
    write_repository(index, "greeting", BACKEND)
    chosen = made().prepare(needs(asked.format(address)), site.interpreter, box_at(site, "1-1"), texts([]))
    assert find_missing([f"greeting=={version}"], describe(chosen.executable)) == ()


def test_two_who_need_the_same_at_the_same_time_make_it_once(site: Any, made: Any) -> None:
    begun, go_on = threading.Event(), threading.Event()
    built = []

    def build(place: Any, *_: Any) -> Interpreter:
        built.append(place.folder)
        begun.set()
        assert go_on.wait(SECONDS)
        place.folder.mkdir()
        return Interpreter(place.interpreter)

    environments, told = made(build=build), []
    chosen = []
    threads = [
        threading.Thread(
            target=lambda box=box: chosen.append(
                environments.prepare(needs("greeting"), site.interpreter, box, texts(told))
            )
        )
        for box in (box_at(site, "1-1"), box_at(site, "2-1"))
    ]
    for thread in threads:
        thread.start()
    assert begun.wait(SECONDS)
    while not any("another session" in text for text in told):
        threads[0].join(0.01)
    go_on.set()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert chosen[0] == chosen[1]


def test_a_second_start_builds_nothing(site: Any, made: Any) -> None:
    made().prepare(needs("greeting"), site.interpreter, box_at(site, "1-1"), texts([]))

    def build(*_: Any) -> Interpreter:
        raise AssertionError("it is there")

    environments, box, told = made(build=build), box_at(site, "2-1"), []
    environments.prepare(needs("greeting"), site.interpreter, box, texts(told))
    assert told == []


def test_whoever_waits_for_anothers_packages_may_be_stopped(site: Any, made: Any) -> None:
    begun, go_on, waits = threading.Event(), threading.Event(), threading.Event()

    def build(place: Any, *_: Any) -> Interpreter:
        begun.set()
        assert go_on.wait(SECONDS)
        place.folder.mkdir()
        return Interpreter(place.interpreter)

    environments, cancellation = made(build=build), Cancellation()
    arguments = (needs("greeting"), site.interpreter)
    maker = threading.Thread(target=environments.prepare, args=(*arguments, box_at(site, "1-1"), texts([])))
    maker.start()
    assert begun.wait(SECONDS)
    stopper = threading.Thread(target=lambda: waits.wait(SECONDS) and cancellation.cancel())
    stopper.start()
    with pytest.raises(PreparationStopped):
        environments.prepare(*arguments, box_at(site, "2-1"), lambda _: waits.set(), cancellation)
    go_on.set()
    maker.join()
    stopper.join()


@pytest.mark.parametrize("confinement", LADDER, ids=lambda one: one.name)
def test_a_stop_while_pip_runs_ends_pip_at_once_and_leaves_nothing(
    site: Any, index: Path, confinement: Any, wait_until: Any
) -> None:
    site.confine(confinement)
    write_source(index, "endless", "import time\nprint('building', flush=True)\ntime.sleep(600)\n")
    box = site.offer("print('never')", environment_of=needs("endless"))
    agent = site.start_worker(pip={"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_CONFIG_FILE": "/dev/null"})
    agent.take(1, "run-secret-canary")
    folders = site.folder / "environments"
    wait_until(lambda: any("backend.py" in name or "endless" in name for name in commands_below(folders)))
    began = time.monotonic()
    site.memory.stops.append(box)
    end = site.memory.wait_for_end(box)
    assert end.reason is EndReason.STOPPED, end
    assert time.monotonic() - began < 60  # and not the 600 seconds that it would take
    wait_until(lambda: commands_below(folders) == [])
    assert list(folders.iterdir()) == []


def commands_below(folder: Path) -> list[str]:
    """The command lines that name something below a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = process.read_bytes().decode(errors="replace").replace("\0", " ")
            found += [words] if f"{folder}/" in words else []
    return found


def test_pips_own_words_are_the_reason(site: Any, made: Any) -> None:
    with pytest.raises(EnvironmentFailed, match="no-such-package-anywhere") as failed:
        made().prepare(needs("no-such-package-anywhere"), site.interpreter, box_at(site, "1-1"), texts([]))
    assert "No matching distribution" in str(failed.value)
    assert list((site.folder / "environments").iterdir()) == []


def test_a_package_that_runs_code_when_it_is_built_finds_nothing_of_anybodys(
    site: Any, made: Any, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.confine(next(one for one in LADDER if one.mounts))
    secret = site.folder / "secret"
    secret.write_text("canary")
    monkeypatch.setenv("WORKER_SECRET", "canary")
    write_source(
        index,
        "curious",
        "import os, sys\n"
        f"seen = [p for p in ({str(secret)!r}, {str(site.token_file)!r}, '/root/.ssh') if os.path.exists(p)]\n"
        "seen += [name for name, value in os.environ.items() if 'canary' in value]\n"
        "sys.exit('SAW ' + repr(seen) + ' AS ' + str(os.getuid()))\n",
    )
    with pytest.raises(EnvironmentFailed) as failed:
        made().prepare(needs("curious"), site.interpreter, box_at(site, "1-1"), texts([]))
    assert "SAW []" in str(failed.value)
    assert "AS 0" not in str(failed.value)


def test_the_longest_unused_goes_when_the_disk_is_full_and_what_a_box_uses_stays(site: Any, made: Any) -> None:
    environments = made(budget=1)
    used = environments.prepare(needs("greeting<2"), site.interpreter, box_at(site, "1-1"), texts([]))
    idle = box_at(site, "2-1")
    gone = environments.prepare(needs("greeting>=2"), site.interpreter, idle, texts([]))
    (idle / "interpreter").unlink()
    last = environments.prepare(needs("greeting"), site.interpreter, box_at(site, "3-1"), texts([]))
    assert [Path(one.executable).exists() for one in (used, gone, last)] == [True, False, True]


def test_what_an_interrupted_worker_left_is_cleared_away(site: Any, made: Any) -> None:
    kept = made().prepare(needs("greeting"), site.interpreter, box_at(site, "1-1"), texts([]))
    left = site.folder / "environments" / "half-made"
    left.mkdir()
    made().clear()
    assert not left.exists()
    assert Path(kept.executable).exists()


def test_a_python_that_is_not_there_is_named(site: Any, made: Any) -> None:
    box = box_at(site, "1-1")
    with pytest.raises(ImageMissing, match="/no/such/python"):
        made().prepare(Environment(interpreter="/no/such/python"), site.interpreter, box, texts([]))
    with pytest.raises(NoPython, match="/bin/true"):
        made().prepare(Environment(interpreter="/bin/true"), site.interpreter, box, texts([]))
    with pytest.raises(ImageMissing, match="container"):
        made().prepare(Environment(reference="busybox:1"), site.interpreter, box, texts([]))
    with pytest.raises(ImageMissing, match="no longer"):
        made().prepare(Environment(unavailable="it is no longer here"), site.interpreter, box, texts([]))


@pytest.mark.parametrize("confinement", [one for one in LADDER if one.mounts], ids=lambda one: one.name)
def test_a_child_that_drops_our_variables_finds_the_library(site: Any, index: Path, confinement: Any) -> None:
    program = (
        "import subprocess, sys\n"
        "child = 'import greeting, nsml; nsml.report(step=1, told=greeting.TEXT)'\n"
        "subprocess.run([sys.executable, '-I', '-c', child], check=True)\n"
        "subprocess.run([sys.executable, '-c', child], env={'NSML_HOME': '/nsml', 'PYTHONPATH': '/app'}, check=True)\n"
    )
    site.confine(confinement)
    box = site.offer(program, files={"nsml.py": "raise SystemExit('not ours')"}, environment_of=needs("greeting"))
    pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_CONFIG_FILE": "/dev/null"}
    site.start_worker(pip=pip).take(1, "run-secret-canary")
    assert site.memory.wait_for_end(box).reason is EndReason.EXITED, site.memory.stream(1, "log")
    assert site.memory.stream(1, "events").count(b"hello from 2.0") == 2


def test_the_server_is_told_what_is_installed_and_why_it_could_not_be(site: Any, index: Path) -> None:
    box = site.offer("print('never')", environment_of=needs("no-such-package-anywhere"))
    agent = site.start_worker(pip={"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index)})
    agent.take(1, "run-secret-canary")
    end = site.memory.wait_for_end(box)
    assert end.reason is EndReason.ENVIRONMENT_FAILED
    assert "No matching distribution found for no-such-package-anywhere" in end.detail
    told = [event.data["text"] for event in site.memory.events[box] if event.kind is EventKind.PREPARING]
    assert "Installing no-such-package-anywhere" in told
