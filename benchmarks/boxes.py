"""Opening a box on a Docker engine, against what the engine itself takes: its command line, and the SDK's two requests."""

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.table import Row, compare
from nsml_worker.box import Box
from nsml_worker.containers.box import Site
from nsml_worker.containers.engine import Engine
from nsml_worker.containers.environments import DockerEnvironments, ImageSite
from nsml_worker.containers.runner import DockerRunner
from nsml_worker.contract import FileEntry, Limits, Mount, RunKind, RunSpec, Tree
from nsml_worker.errors import EngineFailed
from nsml_worker.materialise import BlobCache
from nsml_worker.memory_server import MemoryServer
from nsml_worker.runtimes import DEFAULT
from nsml_worker.sdk_folder import write_sdk

ROUNDS = 12
PROGRAM = b"print('here')\n"
LIMITS = Limits(cpus=1, memory=2**29, shm=2**26, processes=256, wall_clock=600, disk=2**28)


def rows() -> list[Row]:
    """Rounds of each kind by turns, so that a busy moment meets all of them. None where there is no engine."""
    try:
        with tempfile.TemporaryDirectory() as name, open_bench(Path(name)) as bench:
            return measure_all(bench)
    except EngineFailed as error:
        print(f"boxes are not measured: {error}", file=sys.stderr)
        return []


class Bench:
    """A runner, and the same box without it."""

    def __init__(self, folder: Path, engine: Engine, images: ImageSite) -> None:
        folder.chmod(0o711)
        self.engine = engine
        self.image = images.reference_of(DEFAULT)
        self.boxes = folder / "boxes"
        environments = DockerEnvironments(engine, folder / "images", self.boxes, images)
        if DEFAULT not in environments.images:
            raise EngineFailed(f"the engine has no image {self.image}; `make images` builds it")
        self.sdk = write_sdk(folder / "sdk")
        self.runner = DockerRunner(self.boxes, engine, environments, Site(self.sdk, 2**32))
        self.last: dict[str, Any] = {}  # what the engine was asked to make
        self.create, engine.api.create_container_from_config = engine.api.create_container_from_config, self.note
        self.server, self.cache = MemoryServer(), BlobCache(folder / "cache")
        self.count = 0

    def note(self, wanted: dict[str, Any], *more: Any) -> Any:
        """Stands before the engine's "create container"."""
        self.last = wanted
        return self.create(wanted, *more)

    def offer(self) -> Box:
        """A box of which the code is on the node; everything else is to be done."""
        self.count += 1
        code = Tree((FileEntry("main.py", len(PROGRAM), self.server.keep(PROGRAM)),))
        mounts = (Mount("/app", code, writable=True),)
        spec = RunSpec(
            self.count, 1, RunKind.TRAIN, "u/d/1", "default", ("python", "-u", "main.py"), mounts, limits=LIMITS
        )
        self.server.offer(spec, "")
        box = self.runner.find(spec, "")
        box.create()
        return box

    def prepare(self, box: Box) -> None:
        """Up to the moment in which the program could be started."""
        self.runner.prepare(box, self.cache)

    def finish(self, box: Box) -> None:
        """See the program to its end."""
        watch = self.runner.watch(box)
        while watch.exit() is None:
            watch.wait()
        watch.close()


@contextmanager
def open_bench(folder: Path) -> Iterator[Bench]:
    """Leaves nothing on the engine."""
    engine = Engine.open(os.environ, "bench", folder)
    bench = Bench(folder, engine, ImageSite(prefix=os.environ.get("NSML_IMAGE_PREFIX", "nsmlctl/")))
    fetch(bench)
    try:
        yield bench
    finally:
        for box in bench.runner.reattach():
            bench.runner.clean(box)
        bench.runner.close()
        engine.close()


def fetch(bench: Bench) -> None:
    """One box beforehand: the code comes to the node, and the engine reads the image from disk."""
    box = bench.offer()
    api = bench.server.of_run(box.spec.run_id, "", threading.Event())
    bench.cache.fetch(api, bench.cache.missing(mount.tree for mount in box.spec.mounts))
    bench.prepare(box)
    bench.runner.start(box)
    bench.finish(box)
    bench.runner.clean(box)


def measure_all(bench: Bench) -> list[Row]:
    """Milliseconds of each kind, in `ROUNDS` rounds."""
    taken: dict[str, list[float]] = {kind: [] for kind in ("cold", "start", "whole", "sdk", "run")}
    for _ in range(ROUNDS):
        box = bench.offer()
        prepared = measure(lambda box=box: bench.prepare(box))
        started = measure(lambda box=box: bench.runner.start(box))
        finished = measure(lambda box=box: bench.finish(box))
        taken["cold"].append(prepared + started + finished)
        taken["start"].append(started)
        taken["whole"].append(started + finished)
        taken["sdk"].append(measure(lambda: start_bare(bench)))
        taken["run"].append(measure(lambda box=box: run_by_hand(bench, box)))
        bench.runner.clean(box)
    middle = {kind: statistics.median(samples) for kind, samples in taken.items()}
    return [
        compare(
            "box, cached: start, vs the SDK's create + start", middle["start"], middle["sdk"], goal=1.05, unit="ms"
        ),
        compare("box, cached: to its end, vs `docker run`", middle["whole"], middle["run"], goal=1.05, unit="ms"),
        compare("box, cold: to its end, vs `docker run`", middle["cold"], middle["run"], goal=None, unit="ms"),
    ]


def start_bare(bench: Bench) -> None:
    """The floor: the same two requests as for the last box, and nothing else."""
    made = bench.engine.api.create_container_from_config(bench.last)
    bench.engine.api.start(made["Id"])


def run_by_hand(bench: Bench, box: Box) -> None:
    """`docker run` of the same flags. By its labels it is a container of this box, and goes with it."""
    own = box.app.stat().st_uid
    labels = [word for name, value in bench.last["Labels"].items() for word in ("--label", f"{name}={value}")]
    subprocess.run(
        [
            "docker", "run", *labels, "--log-driver", "none", "--network", "none", "--read-only", "--cap-drop", "ALL",
            "--security-opt", "no-new-privileges", "--user", f"{own}:{own}", "--memory", str(LIMITS.memory),
            "--memory-swap", str(LIMITS.memory), "--cpus", "1", "--pids-limit", "258", "--shm-size", str(LIMITS.shm),
            "--ulimit", "core=0", "--ulimit", "nofile=16384", "--init", "--oom-score-adj", "500", "--hostname", "nsml",
            "--workdir", "/app", "-v", f"{box.app}:/app", "-v", f"{box.home}:/nsml", "-v", f"{box.scratch}:/tmp",
            "-v", f"{bench.sdk}:/sdk:ro", "-v", f"{box.fetched}:/nsml/fetched:ro", "-v", f"{box.keep}:/keep",
            "--entrypoint", "python", bench.image, "-u", "main.py",
        ],
        check=True, capture_output=True,
    )  # fmt: skip


def measure(action: Callable[[], object]) -> float:
    """Milliseconds that it takes."""
    before = time.perf_counter()
    action()
    return (time.perf_counter() - before) * 1000
