"""Every row of attacks on the node, the data and the scores is a program, run in a real container.

`hostile/` holds them. Beyond what conftest.py reads, an expect.toml says which row it is (threat = "B3"), which platform it needs
(settings = "short": a training has seconds, "brief": a scoring has) and what it tries to plant on this machine (planted). After each of them the node
must be as it was: no container, process, cgroup, mount, loop device, folder or file of its boxes is left.

One attack is out of reach here: a program that hogs a GPU (a part of B2) needs one. A device is given to one box at a time, and
only that box has the device file.
"""

import contextlib
import os
import re
import sqlite3
import subprocess
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import docker.errors
import psutil
import pytest

HERE = Path(__file__).parent
CASES = sorted(path.parent for path in (HERE / "hostile").glob("*/expect.toml"))
HONEST = HERE / "cases/answers_right"
THREATS = [*(f"B{number}" for number in range(1, 15)), "E6"]
MIB = 2**20
BOX_UIDS = range(61184, 65520)
ANSWERED = 60.0  # seconds; a node that is busy takes its time, one that is down does not answer at all
CLEANED = 180.0  # seconds until a box that has ended is removed
# What in a program shows which of the cheats that other platforms met (E6) it is.
CHEATS = ("sitecustomize", "conftest.py", ".pth", "LD_PRELOAD", "os.setsid()", "score.json", "urlopen", "test_label")

# Small, so that what fills them is done at once.
SMALL = {
    "NSML_RUNNER": "docker",
    "NSML_BOX_DISK": str(64 * MIB),
    "NSML_MEMORY": str(512 * MIB),
    "NSML_LOG_BYTES": str(2 * MIB),
    "NSML_PREDICTION_BYTES": str(16 * MIB),
    "NSML_PROCESSES": "128",
    "NSML_CHECKPOINTS": "150",
}
PLATFORMS = {
    "usual": SMALL,
    "short": {**SMALL, "NSML_TRAIN_LIMIT": "3"},
    "brief": {**SMALL, "NSML_SCORE_LIMIT": "20"},
}


def read(case: Path) -> dict[str, Any]:
    return tomllib.loads((case / "expect.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Container:
    """What the engine had of a box when it was made."""

    id: str
    run_id: int
    attempt: int
    uid: int | None
    volumes: int


class Witness(threading.Thread):
    """Notes every container of a platform when it is made; afterwards there is nothing left to look at.

    Of one that is gone before it was looked at only what the engine told is known: no user, no volumes.
    """

    def __init__(self, engine: Any, folder: Path) -> None:
        super().__init__(name="witness", daemon=True)
        self.engine = engine
        self.seen: dict[str, Container] = {}
        self.wrong: Exception | None = None
        filters = {"type": "container", "event": "create", "label": [f"nsml.folder={folder}", "nsml.kind=box"]}
        self.events = engine.events(filters=filters, decode=True)

    def run(self) -> None:
        try:
            for event in self.events:
                self.seen[event["id"]] = self.look(event["id"], event["Actor"]["Attributes"])
        except Exception as error:  # the tests' thread raises it
            self.wrong = error

    def look(self, name: str, told: dict[str, str]) -> Container:
        uid, volumes = None, 0
        with contextlib.suppress(docker.errors.NotFound):
            made = self.engine.inspect_container(name)
            uid = int(made["Config"]["User"].split(":")[0])
            volumes = [mount["Type"] for mount in made["Mounts"]].count("volume")
        return Container(name, int(told["nsml.run"]), int(told["nsml.attempt"]), uid, volumes)

    def of_runs(self, runs: list[int]) -> list[Container]:
        return [container for container in list(self.seen.values()) if container.run_id in runs]


class Pulse(threading.Thread):
    """Asks a platform for a trifle all the while, as its page would: a node under attack still answers."""

    def __init__(self, platform: Any) -> None:
        super().__init__(name="pulse", daemon=True)
        self.url = f"{platform.login['url']}/api/v1/platform"
        self.longest = 0.0
        self.asked = 0
        self.wrong: Exception | None = None
        self.halt = threading.Event()

    def run(self) -> None:
        while not self.halt.wait(0.25):
            begin = time.monotonic()
            try:
                with urlopen(self.url, timeout=CLEANED) as answer:
                    answer.read()
            except OSError as error:  # the tests' thread raises it
                self.wrong = error
            self.longest = max(self.longest, time.monotonic() - begin)
            self.asked += 1


@dataclass
class Node:
    """A platform with a witness beside it."""

    platform: Any
    witness: Witness
    pulse: Pulse
    engine: Any

    @property
    def boxes(self) -> Path:
        return Path(self.platform.data, "worker/containers")

    def runs_of(self, session: str) -> list[int]:
        """The numbers of all runs of a session: trainings, predictions, scorings."""
        number = int(session.rsplit("/", 1)[1])
        dataset = session.split("/")[1]
        query = "SELECT r.id FROM runs r JOIN sessions s ON s.id = r.session_id WHERE s.number = ? AND s.dataset = ?"
        with sqlite3.connect(f"file:{self.platform.data / 'nsml.sqlite'}?mode=ro", uri=True) as rows:
            return [run for (run,) in rows.execute(query, (number, dataset))]

    def list_rest(self, session: str) -> list[str]:
        """Whatever is left of a session on this machine."""
        runs = self.runs_of(session)
        rest: list[str] = []
        for run in runs:
            labels = [f"nsml.folder={self.platform.data / 'worker'}", f"nsml.run={run}"]
            rest += [f"container {one['Id']}" for one in self.engine.containers(all=True, filters={"label": labels})]
            rest += [str(folder) for folder in self.boxes.glob(f"{run}-*")]
            rest += find_lines(f"{self.boxes}/{run}-")
        for box in self.witness.of_runs(runs):
            rest += [f"process {pid}" for pid in list_processes(box)]
            rest += [f"cgroup {path}" for path in list_cgroups(box.id)]
            rest += ["a volume of the engine"] * box.volumes
        return rest


def find_lines(text: str) -> list[str]:
    """Mounts and loop devices that name it."""
    loops = subprocess.run(["losetup", "--list", "--noheadings"], capture_output=True, text=True, check=True).stdout
    return [line for line in [*Path("/proc/self/mounts").read_text().splitlines(), *loops.splitlines()] if text in line]


def list_processes(box: Container) -> list[int]:
    """Its user's, but for those that are in another container: the boxes of other platforms may have the same user."""
    found = [process.pid for process in psutil.process_iter(["uids"]) if process.info["uids"].real == box.uid]
    return [pid for pid in found if find_container(pid) in ("", box.id)]


def find_container(pid: int) -> str:
    """The container that a process is in; empty for none."""
    try:
        said = Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return ""
    found = re.search("[0-9a-f]{64}", said)
    return found.group() if found else ""


def list_cgroups(container: str) -> list[Path]:
    """In the first and the second version of the kernel's interface, made by the engine itself or by systemd."""
    root = Path("/sys/fs/cgroup")
    parents = (root, *root.iterdir())
    names = (f"docker/{container}", f"system.slice/docker-{container}.scope")
    return [parent / name for parent in parents for name in names if (parent / name).is_dir()]


@pytest.fixture(scope="module")
def nodes(
    tmp_path_factory: pytest.TempPathFactory, make_platform: Any, docker_engine: Any, runtime_prefix: str
) -> Iterator[dict[str, Node]]:
    """Platforms that run containers."""
    with contextlib.ExitStack() as stack:
        started = {}
        for name, settings in PLATFORMS.items():
            platform = make_platform(tmp_path_factory.mktemp(name), NSML_IMAGE_PREFIX=runtime_prefix, **settings)
            started[name] = stack.enter_context(watching(platform, docker_engine))
        yield started


@contextlib.contextmanager
def watching(platform: Any, engine: Any) -> Iterator[Node]:
    """A platform that is up, with its witness and its pulse; whatever happens they end together."""
    witness = Witness(engine, platform.data / "worker")
    witness.start()
    try:
        with platform.running():
            pulse = Pulse(platform)
            pulse.start()
            try:
                yield Node(platform, witness, pulse, engine)
            finally:
                pulse.halt.set()
                pulse.join()
    finally:
        witness.events.close()
        witness.join()


@pytest.fixture(scope="module")
def walks(
    nodes: dict[str, Node],
    request: pytest.FixtureRequest,
    walking: Callable[..., Any],
    make_walk: Callable[..., Any],
    find_chosen: Callable[..., list[Path]],
) -> Iterator[dict[str, Future[None]]]:
    """Each chosen case's walk, and an honest one at the same time."""
    chosen = [(read(case).get("settings", "usual"), case) for case in find_chosen(request, CASES)]
    node_of = {case: nodes[name] for name, case in [*chosen, ("usual", HONEST)]}
    walks = [make_walk(node.platform, case) for case, node in node_of.items()]

    def go(walk: Any) -> None:
        try:
            walk.go()
        finally:
            if walk.name:
                check_unharmed(node_of[walk.case], walk)

    with walking(walks, go) as futures:
        yield futures


def check_unharmed(node: Node, walk: Any) -> None:
    """What it ran in is gone, and so is whatever it tried to leave here."""
    until = time.monotonic() + CLEANED  # the end is told first, and the box is cleaned after it
    while (rest := node.list_rest(walk.name)) and time.monotonic() < until:
        time.sleep(0.1)
    assert rest == []
    while not (boxes := node.witness.of_runs(node.runs_of(walk.name))) and time.monotonic() < until:
        time.sleep(0.1)  # the engine tells of many at a time
    assert boxes, "nothing ran in a container"
    assert [path for path in walk.expected.get("planted", []) if os.path.lexists(path)] == []


def test_what_were_left_of_a_box_would_be_seen(nodes: dict[str, Node], tmp_path: Path, wait_until: Any) -> None:
    (tmp_path / "main.py").write_text("import time\nprint('here', flush=True)\ntime.sleep(600)\n")
    node = nodes["usual"]
    name = node.platform.json("run", "main.py", cwd=tmp_path)["name"]
    wait_until(lambda: "here" in node.platform.ctl("logs", name).stdout)
    words = ("container ", "process ", "cgroup ", "/disk ext4", "/disk.img", f"{node.boxes}/")
    wait_until(lambda: not [word for word in words if word not in "\n".join(node.list_rest(name))])
    node.platform.ctl("stop", name)
    assert node.platform.wait_for(name)["state"] == "stopped"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_attack_ends_as_it_must_and_leaves_nothing(case: Path, walks: dict[str, Future[None]]) -> None:
    walks[case.name].result()


def test_an_honest_neighbour_is_not_disturbed(walks: dict[str, Future[None]]) -> None:
    walks[HONEST.name].result()


@pytest.mark.parametrize("cheat", CHEATS)
def test_every_known_cheat_has_a_program(cheat: str) -> None:
    programs = [(case / "main.py").read_text(encoding="utf-8") for case in CASES if read(case)["threat"] == "E6"]
    assert any(cheat in program for program in programs)


@pytest.mark.parametrize("threat", THREATS)
def test_every_row_of_attacks_has_a_program(threat: str) -> None:
    assert any(read(case)["threat"] == threat for case in CASES)


def test_when_all_have_ended_the_nodes_are_as_they_were(nodes: dict[str, Node], walks: dict[str, Future[None]]) -> None:
    wait(walks.values())
    for node in nodes.values():
        assert list(node.boxes.iterdir()) == []
        assert find_lines(str(node.platform.data)) == []
        assert node.pulse.asked > 0
        assert node.pulse.longest < ANSWERED
        assert (node.pulse.wrong, node.witness.wrong) == (None, None)
        assert {box.uid for box in node.witness.seen.values()} - {None} <= set(BOX_UIDS)
        worker_log = (node.platform.data / "worker.log").read_text()
        assert "Traceback" not in worker_log
        assert node.platform.json("status")["confinement"] == "docker"
