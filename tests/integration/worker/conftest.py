"""A server that speaks the agent API over real HTTP, and workers beside it."""

import dataclasses
import json
import os
import secrets
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from nsml_worker.agent import Agent
from nsml_worker.box import Box, BoxId
from nsml_worker.confinement import LADDER, Confinement
from nsml_worker.containers.box import Site as BoxSite
from nsml_worker.containers.engine import BOX, Engine
from nsml_worker.containers.environments import DockerEnvironments
from nsml_worker.containers.runner import DockerRunner
from nsml_worker.containers.site import ImageSite
from nsml_worker.contract import Capacity, Ended, FileEntry, Mount, RunEvent, RunKind, RunSpec, Tree
from nsml_worker.environments import Environments
from nsml_worker.errors import AttemptOver, ServerRefused, StreamGap
from nsml_worker.interpreter import Interpreter
from nsml_worker.materialise import BlobCache
from nsml_worker.memory_server import SECONDS, MemoryServer
from nsml_worker.probing import probe
from nsml_worker.process_runner import ProcessRunner
from nsml_worker.runner import Runner
from nsml_worker.sdk_folder import write_sdk
from nsml_worker.server_api import HttpNode

ROOMY = 30.0  # seconds between asking and killing: enough for whoever has last words on a busy machine
THREADS = ("run ", "heartbeat", "questions", "gauge", "checkpoints")  # of an agent
ON_CI = os.environ.get("CI") == "true"
NODE_TOKEN = secrets.token_hex(16)  # made afresh, so that a program that searches the disk does not find this file
RUN_TOKEN = "run-secret-canary"


class Handler(BaseHTTPRequestHandler):
    """The agent API on a MemoryServer."""

    protocol_version = "HTTP/1.1"
    server: "AgentServer"

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self.respond()

    def do_POST(self) -> None:
        self.respond()

    def do_PUT(self) -> None:
        self.respond()

    def respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.broken.is_set():
            self.answer(503, b"")
            return
        try:
            self.answer(200, self.dispatch(body))
        except AttemptOver:
            self.answer(409, b'{"error": {"code": "attempt_over", "message": "over"}}')
        except StreamGap as gap:
            self.answer(409, json.dumps({"error": {"code": "stream_gap"}, "size": gap.size}).encode())
        except ServerRefused as error:
            self.answer(404, json.dumps({"error": {"code": "refused", "message": str(error)}}).encode())

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def dispatch(self, body: bytes) -> bytes:
        url = urlsplit(self.path)
        parts = url.path.removeprefix("/agent/v1/").split("/")
        token = self.headers["Authorization"].removeprefix("Bearer ")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if parts[0] == "nodes":
            assert token == NODE_TOKEN
            if parts[2] == "wanted":
                return b'{"environments": []}'
            if parts[2] == "questions":
                return json.dumps(self.relay(parts[3:], query, body)).encode()
            return json.dumps(self.speak_to_node(parts[2], json.loads(body))).encode()
        answer = self.speak_to_run(int(parts[1]), token, parts[2:], query, body)
        return answer if isinstance(answer, bytes) else json.dumps(answer).encode()

    def speak_to_node(self, verb: str, data: dict[str, Any]) -> dict[str, Any]:
        boxes = [BoxId(*pair) for pair in data.get("boxes", [])]
        memory = self.server.memory
        if verb == "hello":
            return memory.hello(Capacity.from_dict(data["capacity"]), boxes)
        return memory.heartbeat(boxes) if verb == "heartbeat" else memory.goodbye() or {}

    def relay(self, path: list[str], query: dict[str, str], body: bytes) -> dict[str, Any]:
        memory = self.server.memory
        if path:
            memory.answer_question(int(path[0]), json.loads(body))
            return {}
        return {"questions": memory.fetch_questions(float(query["wait"]))}

    def speak_to_run(self, run_id: int, token: str, path: list[str], query: dict[str, str], body: bytes) -> Any:
        api = self.server.memory.of_run(run_id, token, threading.Event())
        match path:
            case ["claim"]:
                return api.claim().to_dict()
            case ["blobs", "fetch"]:
                return api.fetch_pack(json.loads(body)["hashes"])
            case ["blobs", "missing"]:
                return {"missing": sorted(api.find_missing(json.loads(body)["hashes"]))}
            case ["blobs", name] if self.command == "PUT":
                return api.put_blob(name, BytesIO(body), len(body)) or {}
            case ["blobs", name]:
                return b"".join(api.fetch_blob(name))
            case ["checkpoint"]:
                return api.find_checkpoint(query.get("session"), query["name"]).to_dict()
            case ["packs"]:
                return api.put_pack(body) or {}
            case ["streams", name]:
                return {"size": api.append(name, int(query["offset"]), body)}
            case ["events"]:
                data = json.loads(body)
                events = [RunEvent.from_dict(event) for event in data["events"]]
                return {"accepted": api.tell(data["attempt"], events)}
        raise ServerRefused("no such place")


class AgentServer(ThreadingHTTPServer):
    """`broken` set: every request is answered with 503."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        self.memory = MemoryServer()
        self.broken = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A worker that leaves hangs up in the middle of a question: that is no news."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Site:
    """One node: its folder, its server, and workers that come and go."""

    def __init__(self, folder: Path, server: AgentServer) -> None:
        self.folder = folder
        self.server = server
        self.memory = server.memory
        self.sdk = write_sdk(folder / "sdk")
        self.confinement, self.interpreter = LADDER[-1], Interpreter.current()
        self.boxes = folder / "boxes"
        self.agents: list[Agent] = []
        self.others = set(threading.enumerate())
        self.grace = ROOMY
        self.token_file = folder / "token"
        self.token_file.touch(mode=0o600)
        self.token_file.write_text(NODE_TOKEN)

    def confine(self, confinement: Confinement) -> None:
        """Seal boxes so; where that does not work the test is skipped, and fails on CI."""
        for interpreter in (Interpreter.current(), Interpreter("/usr/bin/python3")):
            said = probe(confinement, {"default": interpreter}, self.sdk, self.folder / "probe")
            if not said:
                self.confinement, self.interpreter = confinement, interpreter
                return
        (pytest.fail if ON_CI else pytest.skip)(f"{confinement.name} does not work here: {said}")

    def start_worker(self, pip: dict[str, str] | None = None) -> Agent:
        """`pip`: the variables that configure it."""
        halt = threading.Event()
        node = HttpNode(self.server.url, "local", NODE_TOKEN, halt)
        agent = Agent(node, self.make_runner(pip), BlobCache(self.folder / "cache"), Capacity(2, 2**30), halt)
        self.agents.append(agent)
        agent.start()
        return agent

    def leave(self) -> None:
        """The workers leave as their processes end: the threads end too, so nothing of them goes on beside what comes after."""
        for agent in self.agents:
            agent.leave()
        for thread in set(threading.enumerate()) - self.others:
            if thread.name.startswith(THREADS):
                thread.join(SECONDS)
                assert not thread.is_alive(), f"{thread.name} goes on without its worker"

    def close(self) -> None:
        """End whatever a test left."""
        self.leave()
        cleaner = self.make_runner()
        for box in cleaner.reattach():
            cleaner.stop(box, at_once=True)
            finish(cleaner, box)

    def make_runner(self, pip: dict[str, str] | None = None) -> Runner:
        """A new one for each worker."""
        environments = Environments(self.folder / "environments", self.boxes, self.confinement, variables=pip)
        images = {"default": self.interpreter}
        return ProcessRunner(
            self.boxes, self.sdk, images, self.confinement, grace=self.grace, environments=environments
        )

    def tree(self, files: dict[str, bytes | str]) -> Tree:
        contents = {path: data.encode() if isinstance(data, str) else data for path, data in files.items()}
        entries = (FileEntry(path, len(data), self.memory.keep(data)) for path, data in sorted(contents.items()))
        return Tree(tuple(entries))

    def offer(self, program: str, run_id: int = 1, token: str = RUN_TOKEN, files: Any = None, **more: Any) -> BoxId:
        """Place a training that runs `program`."""
        mounts = (
            Mount("/app", self.tree({"main.py": program, **(files or {})}), writable=True),
            *more.pop("mounts", ()),
        )
        words: dict[str, Any] = {
            "kind": RunKind.TRAIN,
            "session": "u/kin/1",
            "image": "default",
            "argv": ("python", "-u", "main.py"),
            **more,
        }
        spec = RunSpec(run_id=run_id, attempt=words.pop("attempt", 1), mounts=mounts, **words)
        self.memory.offer(spec, token)
        return BoxId(spec.run_id, spec.attempt)

    def lay_out(self, runner: Runner, box: Box) -> None:
        """Prepare a box whose files are all there."""
        cache = BlobCache(self.folder / "cache")
        api = self.memory.of_run(box.spec.run_id, box.token, threading.Event())
        cache.fetch(api, cache.missing(mount.tree for mount in box.spec.mounts))
        runner.prepare(box, cache)

    def wait_for_output(self, run_id: int, text: bytes) -> None:
        self.memory.wait_for(lambda: text in self.memory.stream(run_id, "log"))

    def is_clean(self) -> bool:
        return not any(self.boxes.glob("*-*"))


class DockerSite(Site):
    """A node that runs containers."""

    def __init__(self, folder: Path, server: AgentServer, prefix: str) -> None:
        super().__init__(folder, server)
        self.boxes = folder / "containers"
        self.engine = Engine.open(os.environ, "local", folder)
        self.images = ImageSite(prefix)
        self.disk = 2**26
        self.box_site = BoxSite(self.sdk, 2**30)
        self.runners: list[DockerRunner] = []

    def make_runner(self, pip: dict[str, str] | None = None) -> DockerRunner:
        environments = DockerEnvironments(self.engine, self.folder / "images", self.boxes, self.images)
        runner = DockerRunner(self.boxes, self.engine, environments, self.box_site, grace=self.grace, disk=self.disk)
        self.runners.append(runner)
        return runner

    def finish(self, program: str, **more: Any) -> tuple[Ended, str]:
        """How a program ends, and what it wrote."""
        if not self.agents:
            self.start_worker()
        run_id = more.pop("run_id", 1)
        box = self.offer(program, run_id, f"{RUN_TOKEN}-{run_id}", **more)
        self.agents[-1].take(run_id, f"{RUN_TOKEN}-{run_id}")
        end = self.memory.wait_for_end(box)
        return end, self.memory.stream(run_id, "log").decode("utf-8", "replace")

    def use_engine(self, host: str) -> None:
        """Another engine than this machine's own."""
        self.engine.close()
        self.engine = Engine.open({"DOCKER_HOST": host}, "local", self.folder)

    def allow_network(self, name: str) -> None:
        """As an operator may, for trainings. For workers to come."""
        self.box_site = dataclasses.replace(self.box_site, networks=(name,))

    def use_runtime(self, name: str) -> None:
        """An OCI runtime for the boxes of workers to come."""
        self.box_site = dataclasses.replace(self.box_site, runtime=name)

    def list_rest(self) -> list[str]:
        """What is left of boxes: containers, mounts, loop devices, folders."""
        mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(self.folder) in line]
        loops = subprocess.run(["losetup", "--list", "--noheadings"], capture_output=True, text=True, check=True)
        containers = [str(one["Names"]) for one in self.engine.containers(BOX)]
        folders = [str(path) for path in self.boxes.iterdir()]
        return [*mounts, *(one for one in loops.stdout.splitlines() if str(self.folder) in one), *containers, *folders]

    def close(self) -> None:
        """Take away whatever a test left."""
        try:
            self.leave()
        finally:
            self.clean_boxes()
            for runner in self.runners:
                runner.close()
            self.engine.close()

    def clean_boxes(self) -> None:
        """Remove every one, whether its program goes on or not. No worker may be left."""
        last = self.make_runner()
        for box in last.reattach():
            last.clean(box)


@pytest.fixture
def docker_site(agent_server: AgentServer, open_folder: Path, runtime_prefix: str) -> Iterator[DockerSite]:
    site = DockerSite(open_folder, agent_server, runtime_prefix)
    try:
        yield site
    finally:
        site.close()


@pytest.fixture
def make_image(docker_site: DockerSite, docker_engine: Any, base_image: str) -> Iterator[Callable[..., str]]:
    """Has the default runtime be the stand-in with these words of a Dockerfile carried out; returns the image's id."""
    made = []

    def make(*words: str) -> str:
        prefix = f"nsml-test-{secrets.token_hex(4)}/"
        container = docker_engine.create_container(base_image)
        docker_engine.commit(container, f"{prefix}runtime-default", "latest", changes=list(words))
        docker_engine.remove_container(container)
        made.append(f"{prefix}runtime-default:latest")
        docker_site.images = ImageSite(prefix)
        return str(docker_engine.inspect_image(made[-1])["Id"])

    yield make
    docker_site.leave()
    docker_site.clean_boxes()
    for name in made:
        docker_engine.remove_image(name, force=True)


@pytest.fixture
def empty_image(docker_engine: Any) -> Iterator[str]:
    """An image with nothing in it but an empty file."""
    name, archive = f"nsml-test-{secrets.token_hex(4)}/empty:latest", BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("nothing"))
    docker_engine.import_image_from_data(archive.getvalue(), name.removesuffix(":latest"), "latest")
    yield name
    docker_engine.remove_image(name, force=True)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that other users may pass through, as a data folder is."""
    folder = Path(tempfile.mkdtemp(prefix="nsml-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def agent_server() -> Iterator[AgentServer]:
    server = AgentServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def site(open_folder: Path, agent_server: AgentServer) -> Iterator[Site]:
    site = Site(open_folder, agent_server)
    try:
        yield site
    finally:
        site.close()


def finish(runner: Runner, box: Any) -> None:
    watch = runner.watch(box)
    while watch.exit() is None:
        watch.wait()
    watch.close()
