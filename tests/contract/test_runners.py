"""What every runner does: one class, on the fake, on processes in each confinement this machine can make, and on Docker."""

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from nsml_worker.box import Box, Exit
from nsml_worker.confinement import LADDER
from nsml_worker.containers.box import Site
from nsml_worker.containers.engine import Engine
from nsml_worker.containers.environments import DockerEnvironments, ImageSite
from nsml_worker.containers.runner import DockerRunner
from nsml_worker.contract import EndReason, FileEntry, Mount, Output, RunKind, RunSpec, Tree
from nsml_worker.errors import OutputMissing
from nsml_worker.interpreter import Interpreter
from nsml_worker.materialise import BlobCache
from nsml_worker.memory_server import MemoryServer
from nsml_worker.probing import probe
from nsml_worker.process_runner import ProcessRunner
from nsml_worker.run import collect
from nsml_worker.runner import MemoryRunner, Program, Runner
from nsml_worker.sdk_folder import write_sdk

ON_CI = os.environ.get("CI") == "true"
Write = Callable[[bytes], object]
# The same programs twice: as a participant writes them, and as functions for the runner without processes.
SOURCES = {
    "speaks.py": "import sys; sys.stdout.buffer.write(bytes(range(256)) * 1000); sys.exit(3)",
    "waits.py": "import sys, time; print('here'); time.sleep(600)",
    "reads.py": "import os; print(open(os.environ['NSML_DATASET_PATH'] + '/train/train_data').read())",
    "answers.py": "import os; open(os.environ['NSML_HOME'] + '/out/prediction', 'w').write('42')",
}


def speak(box: Box, write: Write, stop: threading.Event) -> int:
    write(bytes(range(256)) * 1000)
    return 3


def wait(box: Box, write: Write, stop: threading.Event) -> int:
    write(b"here\n")
    stop.wait()
    return 0


def read(box: Box, write: Write, stop: threading.Event) -> int:
    write((box.folder / "views/data/kin/train/train_data").read_bytes() + b"\n")
    return 0


def answer(box: Box, write: Write, stop: threading.Event) -> int:
    (box.home / "out/prediction").write_text("42")
    return 0


FUNCTIONS: dict[str, Program] = {"speaks.py": speak, "waits.py": wait, "reads.py": read, "answers.py": answer}


@dataclass
class Bench:
    """A runner with a server behind it."""

    runner: Runner
    reopen: Callable[[], Runner]
    server: MemoryServer
    cache: BlobCache

    def spec(self, entry: str) -> RunSpec:
        code = self.tree({name: source.encode() for name, source in SOURCES.items()})
        data = self.tree({"train/train_data": "안녕".encode()})
        mounts = (Mount("/app", code, writable=True), Mount("/data/kin", data))
        return RunSpec(7, 1, RunKind.TRAIN, "u/kin/1", "default", ("python", "-u", entry), mounts, dataset="kin")

    def tree(self, files: dict[str, bytes]) -> Tree:
        return Tree(tuple(FileEntry(path, len(data), self.server.keep(data)) for path, data in sorted(files.items())))

    def prepare(self, entry: str) -> Box:
        spec = self.spec(entry)
        box = self.runner.find(spec, "secret")
        box.create()
        self.server.offer(spec, "secret")
        api = self.server.of_run(spec.run_id, "secret", threading.Event())
        self.cache.fetch(api, self.cache.missing(mount.tree for mount in spec.mounts))
        self.runner.prepare(box, self.cache)
        return box

    def finish(self, box: Box) -> tuple[Exit, bytes]:
        watch = self.runner.watch(box)
        try:
            while (end := watch.exit()) is None:
                watch.wait()
            return end, watch.read("log", 0, 1 << 20)
        finally:
            watch.close()

    def wait_for_output(self, box: Box) -> None:
        watch = self.runner.watch(box)
        while b"\n" not in watch.read("log", 0, 100):
            watch.wait()
        watch.close()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user may pass through, as a data folder is; pytest's own may not be."""
    folder = Path(tempfile.mkdtemp(prefix="nsml-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(params=["memory", "docker", *(confinement.name for confinement in LADDER)])
def bench(request: pytest.FixtureRequest, open_folder: Path) -> Iterator[Bench]:
    if request.param == "docker":
        yield from make_docker_bench(request, open_folder)
    else:
        bench = make_bench(request.param, open_folder)
        try:
            yield bench
        finally:
            for box in bench.runner.reattach():
                end(bench.runner, box)


def end(runner: Runner, box: Box) -> None:
    """A box that was started and goes on is killed; returns when its program has ended."""
    if not box.was_launched:
        return
    runner.stop(box, at_once=True)
    watch = runner.watch(box)
    while watch.exit() is None:
        watch.wait()
    watch.close()


def make_docker_bench(request: pytest.FixtureRequest, folder: Path) -> Iterator[Bench]:
    """Two workers one after the other, with a connection each."""
    images = ImageSite(request.getfixturevalue("runtime_prefix"))
    sdk, boxes, opened = write_sdk(folder / "sdk"), folder / "boxes", list[DockerRunner]()

    def make() -> DockerRunner:
        for runner in opened:
            runner.close()
        engine = Engine.open(os.environ, "test", folder)
        environments = DockerEnvironments(engine, folder / "images", boxes, images)
        opened.append(DockerRunner(boxes, engine, environments, Site(sdk, 2**30), grace=0.2, disk=2**26))
        return opened[-1]

    bench = Bench(make(), make, MemoryServer(), BlobCache(folder / "cache"))
    try:
        yield bench
    finally:
        for box in bench.runner.reattach():
            bench.runner.clean(box)
        for runner in opened:
            runner.close()


def make_bench(name: str, open_folder: Path) -> Bench:
    server, cache, boxes = MemoryServer(), BlobCache(open_folder / "cache"), open_folder / "boxes"
    if name == "memory":
        memory = MemoryRunner(boxes, FUNCTIONS)
        return Bench(memory, lambda: memory, server, cache)
    sdk = write_sdk(open_folder / "sdk")
    confinement = next(one for one in LADDER if one.name == name)
    said = ""
    for interpreter in (Interpreter.current(), Interpreter("/usr/bin/python3")):
        make = partial(ProcessRunner, boxes, sdk, {"default": interpreter}, confinement, grace=0.2)
        said = probe(confinement, {"default": interpreter}, sdk, open_folder / "probe")
        if not said:
            break
    if said:
        (pytest.fail if ON_CI else pytest.skip)(f"{confinement.name} does not work here: {said}")
    return Bench(make(), make, server, cache)


class TestRunner:
    def test_output_and_exit_code_are_told_exactly(self, bench: Bench) -> None:
        box = bench.prepare("speaks.py")
        bench.runner.start(box)
        end, output = bench.finish(box)
        assert (end.reason, end.exit_code, end.signal) == (EndReason.EXIT_CODE, 3, None)
        assert output == bytes(range(256)) * 1000

    def test_a_program_that_is_asked_to_stop_ends_as_stopped(self, bench: Bench) -> None:
        box = bench.prepare("waits.py")
        bench.runner.start(box)
        bench.wait_for_output(box)
        bench.runner.stop(box)
        end, output = bench.finish(box)
        assert end.reason is EndReason.STOPPED
        assert output == b"here\n"

    def test_what_a_program_uses_is_measured_while_it_runs(self, bench: Bench) -> None:
        box = bench.prepare("waits.py")
        assert bench.runner.measure(box) is None
        bench.runner.start(box)
        bench.wait_for_output(box)
        spent = bench.runner.measure(box)
        assert spent is not None
        assert spent.memory > 0
        assert 0 <= spent.cpu_seconds < 60
        bench.runner.stop(box, at_once=True)
        bench.finish(box)
        assert bench.runner.measure(box) is None

    def test_a_box_is_killed_at_once_when_that_is_asked(self, bench: Bench) -> None:
        box = bench.prepare("waits.py")
        bench.runner.start(box)
        bench.runner.stop(box, at_once=True)
        assert bench.finish(box)[0].reason is EndReason.STOPPED

    def test_the_dataset_is_where_the_environment_says(self, bench: Bench) -> None:
        box = bench.prepare("reads.py")
        bench.runner.start(box)
        end, output = bench.finish(box)
        assert (end.reason, output.decode()) == (EndReason.EXITED, "안녕\n")

    def test_a_result_is_collected_from_what_the_program_left(self, bench: Bench) -> None:
        box = bench.prepare("answers.py")
        bench.runner.start(box)
        bench.finish(box)
        api = bench.server.of_run(7, "secret", threading.Event())
        assert bench.server.blobs[collect(box, Output("prediction", 10), api).hash] == b"42"
        with pytest.raises(OutputMissing):
            collect(box, Output("score.json", 10), api)

    def test_a_later_worker_finds_the_box_and_its_end(self, bench: Bench) -> None:
        box = bench.prepare("waits.py")
        bench.runner.start(box)
        bench.wait_for_output(box)
        bench.runner = bench.reopen()
        assert bench.runner.reattach() == [box]
        bench.runner.stop(box)
        assert bench.finish(box) == (bench.finish(box)[0], b"here\n")
        assert bench.finish(box)[0].reason is EndReason.STOPPED

    def test_preparing_again_after_an_interruption_makes_the_same_box(self, bench: Bench) -> None:
        bench.prepare("reads.py")
        box = bench.prepare("reads.py")
        bench.runner.start(box)
        assert bench.finish(box)[0].reason is EndReason.EXITED

    def test_cleaning_leaves_nothing_and_finds_nothing(self, bench: Bench) -> None:
        box = bench.prepare("answers.py")
        bench.runner.start(box)
        bench.finish(box)
        bench.runner.clean(box)
        assert not box.folder.exists()
        assert bench.runner.reattach() == []

    def test_stopping_what_has_ended_does_nothing(self, bench: Bench) -> None:
        box = bench.prepare("answers.py")
        bench.runner.start(box)
        end, _ = bench.finish(box)
        bench.runner.stop(box)
        assert bench.finish(box)[0] == end

    def test_what_a_node_offers_names_its_image_and_how_boxes_are_sealed(self, bench: Bench) -> None:
        assert "default" in bench.runner.images
        assert bench.runner.confinement in {"none", "docker", *(confinement.name for confinement in LADDER)}
