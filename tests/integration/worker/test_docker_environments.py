"""Images and environments on a real Docker engine, pulled from a real registry on this machine."""

import contextlib
import gzip
import io
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import docker.errors
import pytest
import requests

from nsml_worker.containers import pull
from nsml_worker.containers.engine import BUILD, ENVIRONMENT, PROBE, Engine
from nsml_worker.containers.environments import DockerEnvironments, PreparedImage
from nsml_worker.containers.site import ImageSite
from nsml_worker.contract import Environment
from nsml_worker.errors import EnvironmentFailed, ImageMissing, Leaving, NoPython, PreparationStopped
from nsml_worker.memory_server import SECONDS

BASE = "python:3.11-slim-bookworm"
NAME, PASSWORD = "operator", "open sesame"
HASHED = "$2b$04$xI6b.Vd6rQ2CpLWONNlIbOPGuMdi6Rk1hBi8gZiaW5YHuswOrGc06"  # of PASSWORD, as htpasswd writes it
# What pip needs on this machine to reach its index.
PIP = {name: value for name, value in os.environ.items() if re.fullmatch(r"PIP_\w+|SSL_CERT_FILE", name)}


def alone(api: Any) -> Any:
    """Without a network."""
    return api.create_host_config(network_mode="none")


class Node:
    """The environments of a node, and what they say."""

    def __init__(self, api: Any, folder: Path, base: str = BASE, **site: Any) -> None:
        self.base = base
        self.engine = Engine(api, "test-environments", str(folder))
        self.boxes = folder / "boxes"
        self.site = ImageSite(network="host", variables=PIP, **site)
        self.environments = DockerEnvironments(self.engine, folder / "images", self.boxes, self.site)
        self.told: list[str] = []

    def prepare(self, tell: Callable[[str], None] | None = None, box: str = "1-1", **wanted: Any) -> PreparedImage:
        (self.boxes / box).mkdir(parents=True, exist_ok=True)
        return self.environments.prepare(Environment(**wanted), self.boxes / box, tell or self.told.append)

    def run(self, prepared: PreparedImage, *words: str) -> str:
        """What a program writes in the image, as a user without rights."""
        api = self.engine.api
        box = api.create_container(
            prepared.image,
            entrypoint=list(words),
            user="65534",
            labels=self.engine.labels(PROBE),
            host_config=alone(api),
        )
        try:
            api.start(box)
            api.wait(box)
            return str(api.logs(box).decode().strip())
        finally:
            self.engine.remove(box["Id"])

    def leftovers(self) -> list[str]:
        return [one["Id"] for kind in (BUILD, PROBE) for one in self.engine.containers(kind)]


@pytest.fixture
def api(docker_engine: Any, base_image: str) -> Any:
    assert base_image == BASE
    return docker_engine


@pytest.fixture
def made(api: Any) -> Iterator[list[str]]:
    """References of images to be taken away after the test."""
    references: list[str] = []
    yield references
    for reference in references:
        try:
            api.remove_image(reference, force=True)
        except docker.errors.ImageNotFound:
            continue


@pytest.fixture(scope="session")
def own_base(docker_engine: Any, base_image: str) -> Iterator[str]:
    """The base image under an id of its own: no environment that an earlier run has left is built on it."""
    name = secrets.token_hex(4)
    box = docker_engine.create_container(base_image, ["/nothing"])
    docker_engine.commit(box, "nsml-test", name, changes=[f"LABEL nsml.test={name}"])
    docker_engine.remove_container(box)
    yield f"nsml-test:{name}"
    docker_engine.remove_image(f"nsml-test:{name}", force=True)


@pytest.fixture
def node(api: Any, tmp_path: Path, made: list[str], own_base: str) -> Iterator[Node]:
    one = Node(api, tmp_path, own_base)
    yield one
    made += [image["Id"] for image in api.images(filters=one.engine.filters(ENVIRONMENT))]
    left = one.leftovers()
    for box in left:
        one.engine.remove(box)
    assert left == []


class Registry:
    """Debian's docker-registry on a port of this machine."""

    def __init__(self, folder: Path, api: Any, port: int, *, locked: bool = False) -> None:
        self.api = api
        self.port = port
        users = folder / "htpasswd"
        users.write_text(f"{NAME}:{HASHED}\n")
        config: dict[str, Any] = {
            "version": "0.1",
            "log": {"level": "error"},
            "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
            "http": {"addr": f"127.0.0.1:{self.port}"},
        }
        if locked:
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(users)}}
        (folder / "registry.json").write_text(json.dumps(config))
        words = ["docker-registry", "serve", str(folder / "registry.json")]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.login = {"username": NAME, "password": PASSWORD} if locked else None

    def answers(self) -> bool:
        """Raises AssertionError when it has ended."""
        assert self.process.poll() is None, "the registry has ended"
        try:
            answer = requests.get(f"http://127.0.0.1:{self.port}/v2/", timeout=SECONDS)
        except requests.ConnectionError:
            return False
        return answer.headers.get("Docker-Distribution-Api-Version") == "registry/2.0"

    def push(self, made: list[str], name: str, *layers: bytes) -> str:
        """An image of these layers; what this machine has of it is forgotten."""
        reference = f"127.0.0.1:{self.port}/{name}"
        repository, tag = reference.rsplit(":", 1)
        self.api.import_image_from_data(layers[0], repository, tag)
        for layer in layers[1:]:
            box = self.api.create_container(reference, ["/nothing"])
            self.api.put_archive(box, "/", layer)
            self.api.commit(box, repository, tag)
            self.api.remove_container(box)
        said = self.api.push(repository, tag, stream=True, decode=True, auth_config=self.login)
        errors = [line["error"] for line in said if "error" in line]
        assert errors == []
        self.api.remove_image(reference)
        made.append(reference)
        return reference

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def start_registry(tmp_path: Path, api: Any, free_port: Any, wait_until: Any) -> Iterator[Callable[..., Registry]]:
    with contextlib.ExitStack() as started:

        def start(**more: Any) -> Registry:
            one = Registry(tmp_path, api, free_port("127.0.0.1"), **more)
            started.callback(one.close)
            wait_until(one.answers)
            return one

        yield start


@pytest.fixture
def registry(start_registry: Callable[..., Registry]) -> Registry:
    return start_registry()


@pytest.fixture
def locked_registry(start_registry: Callable[..., Registry]) -> Registry:
    return start_registry(locked=True)


@pytest.fixture
def endless() -> Iterator[tuple[str, threading.Event]]:
    """A requirement of which the building never ends, and what is set once pip has fetched it."""
    fetched = threading.Event()
    source = {
        "pyproject.toml": b'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": b"import time\ntime.sleep(600)\n",
        "PKG-INFO": b"Metadata-Version: 1.0\nName: endless\nVersion: 1.0\n",
    }
    archive = gzip.compress(pack({f"endless-1.0/{name}": data for name, data in source.items()}))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(archive)))
            self.end_headers()
            self.wfile.write(archive)
            fetched.set()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"endless @ http://127.0.0.1:{server.server_port}/endless-1.0.tar.gz", fetched
        server.shutdown()


def pack(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """A layer."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            tar.addfile(entry, io.BytesIO(data))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return buffer.getvalue()


def derive(api: Any, made: list[str], name: str, layer: bytes, changes: list[str] | None = None) -> str:
    """The base image with something in it that was not there before."""
    box = api.create_container(BASE, ["/nothing"])
    api.put_archive(box, "/", layer)
    api.commit(box, "nsml-test", name, changes=changes)
    api.remove_container(box)
    made.append(f"nsml-test:{name}")
    return f"nsml-test:{name}"


# A Python as found -------------------------------------------------------------------------------------------------


def test_the_python_of_an_image_is_found_and_remembered_for_the_box(node: Node) -> None:
    prepared = node.prepare(reference=node.base)
    assert prepared.python == "/usr/local/bin/python"
    assert prepared.path.split(":")[0] == "/usr/local/bin"
    assert prepared.image.startswith("sha256:")
    assert node.environments.find(node.boxes / "1-1") == prepared


def test_a_python_beside_the_path_of_its_image_is_found(node: Node, api: Any, made: list[str]) -> None:
    layer = pack({}, {"opt/conda/bin/python": "/usr/bin/python3.11"})
    image = derive(api, made, "conda", layer, ["ENV PATH=/nowhere"])
    prepared = node.prepare(reference=image)
    assert prepared.python == "/opt/conda/bin/python"
    assert prepared.path.startswith("/opt/conda/bin:/nowhere:")


def test_an_entrypoint_is_never_run(node: Node, api: Any, made: list[str]) -> None:
    image = derive(api, made, "thief", pack({"thief": b"#!/bin/sh\necho stolen\n"}), ['ENTRYPOINT ["/thief"]'])
    assert node.prepare(reference=image).python == "/usr/local/bin/python"


def test_an_image_without_python_is_refused_plainly(node: Node, api: Any, made: list[str]) -> None:
    api.import_image_from_data(pack({"etc/motd": b"hello"}), "nsml-test", "bare")
    made.append("nsml-test:bare")
    with pytest.raises(NoPython, match="nsml-test:bare has no Python"):
        node.prepare(reference="nsml-test:bare")


def test_a_python_that_is_too_old_is_named_with_its_version(node: Node, api: Any, made: list[str]) -> None:
    facts = {"version": "3.5.2", "implementation": "CPython", "packages": {}, "debian": {}}
    old = f"#!/bin/sh\necho '{json.dumps(facts)}'\n".encode()
    places = ("usr/local/bin/python", "usr/local/bin/python3", "usr/bin/python3", "usr/bin/python3.11")
    image = derive(api, made, "old", pack(dict.fromkeys(places, old)))
    with pytest.raises(NoPython, match=r"Python of nsml-test:old is 3\.5\.2; 3\.6 or newer is needed"):
        node.prepare(reference=image)


def test_an_image_for_another_processor_is_told_as_such(node: Node, api: Any, made: list[str]) -> None:
    elf = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00" + b"\xb7\x00" + b"\x01\x00\x00\x00" + bytes(40)
    api.import_image_from_data(pack({"usr/bin/python": elf}), "nsml-test", "foreign")
    made.append("nsml-test:foreign")
    with pytest.raises(NoPython, match=r"do not run on this machine's processor \(amd64\).*exec format error"):
        node.prepare(reference="nsml-test:foreign")


# Pulling -----------------------------------------------------------------------------------------------------------


def test_an_image_comes_from_a_registry_layer_by_layer(
    node: Node, registry: Registry, made: list[str], api: Any, tmp_path: Path
) -> None:
    layers = [pack({f"layer{number}": os.urandom(8_000_000)}) for number in range(3)]
    reference = registry.push(made, "three:1", *layers)
    told = []

    def tell(text: str) -> None:
        told.append(text)
        if text.endswith(" of 24 MB"):
            go_on.set()

    go_on = threading.Event()
    with Held(registry.port, go_on) as port:
        slow = reference.replace(str(registry.port), str(port))
        made.append(slow)
        with pytest.raises(NoPython):
            node.prepare(tell, reference=slow)
    progress = [text for text in told if text.startswith(f"Pulling {slow}: ")]
    assert all(
        re.search(r": \d of 3 layers(, [\d,]+ (of [\d,]+ )?MB( so far)?|, unpacking)?$", text) for text in progress
    )
    assert any(text.endswith(" of 24 MB") for text in progress)


def test_a_tag_that_is_not_there_is_told_in_the_registrys_words(
    node: Node, registry: Registry, made: list[str]
) -> None:
    reference = registry.push(made, "one:1", pack({"a": b"1"}))
    with pytest.raises(ImageMissing, match=r"one:2 cannot be pulled: manifest for .*one:2 not found: manifest unknown"):
        node.prepare(reference=reference.replace("one:1", "one:2"))


def test_a_registry_that_is_away_is_tried_again_and_then_no_more(node: Node) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # so that nobody else listens there
        port = deaf.getsockname()[1]
        with pytest.raises(ImageMissing, match="connection refused"):
            node.prepare(reference=f"127.0.0.1:{port}/one:1")
    assert any(text.startswith(f"Pulling 127.0.0.1:{port}/one:1 again: ") for text in node.told)


def test_a_registry_that_says_nothing_is_given_up(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pull, "SILENCE", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(ImageMissing, match="cannot be pulled: nothing has come for 2 seconds"):
            node.prepare(reference=f"127.0.0.1:{port}/one:1")


def test_a_private_registry_is_opened_by_the_operators_file(
    api: Any, tmp_path: Path, locked_registry: Registry, made: list[str]
) -> None:
    reference = locked_registry.push(made, "secret:1", pack({"a": b"1"}))
    with pytest.raises(ImageMissing, match=r"(no basic auth credentials|unauthorized)"):
        Node(api, tmp_path / "without").prepare(reference=reference)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"auths": {f"127.0.0.1:{locked_registry.port}": {"auth": "b3BlcmF0b3I6d3Jvbmc="}}}))
    node = Node(api, tmp_path / "with", credentials=config)
    with pytest.raises(ImageMissing, match="unauthorized"):
        node.prepare(reference=reference)
    login = "b3BlcmF0b3I6b3BlbiBzZXNhbWU="
    config.write_text(json.dumps({"auths": {f"127.0.0.1:{locked_registry.port}": {"auth": login}}}))
    with pytest.raises(NoPython):  # so it was pulled
        node.prepare(reference=reference)


def test_an_image_larger_than_the_disk_for_images_is_not_fetched(
    api: Any, tmp_path: Path, registry: Registry, made: list[str]
) -> None:
    reference = registry.push(made, "huge:1", pack({"huge": os.urandom(5_000_000)}))
    node = Node(api, tmp_path / "node", budget=1_000_000)
    with pytest.raises(ImageMissing, match="larger than"):
        node.prepare(reference=reference)
    with pytest.raises(docker.errors.ImageNotFound):
        api.inspect_image(reference)


def test_an_image_that_turns_out_too_large_goes_before_any_other(
    api: Any, tmp_path: Path, registry: Registry, made: list[str]
) -> None:
    """Its layers were small: it holds nothing but zeros."""
    small = registry.push(made, "small:1", pack({"small": os.urandom(500_000)}))
    huge = registry.push(made, "huge:1", pack({"huge": bytes(5_000_000)}))
    node = Node(api, tmp_path / "node", budget=1_000_000)
    with pytest.raises(NoPython):
        node.prepare(reference=small)
    with pytest.raises(ImageMissing, match="larger than"):
        node.prepare(reference=huge)
    assert api.inspect_image(small)
    with pytest.raises(docker.errors.ImageNotFound):
        api.inspect_image(huge)


def test_a_pull_is_given_up_at_once_when_its_run_is_stopped(
    node: Node, registry: Registry, made: list[str], api: Any
) -> None:
    reference = registry.push(made, "long:1", pack({"long": os.urandom(20_000_000)}))
    more = threading.Event()
    held = Held(registry.port, more, threading.Event())
    with held as port:
        slow = reference.replace(str(registry.port), str(port))
        begun = threading.Event()
        thread = threading.Thread(target=lambda: (begun.wait(SECONDS), node.environments.interrupt(node.boxes / "1-1")))
        thread.start()
        with pytest.raises(PreparationStopped):
            node.prepare(reference=slow, tell=lambda text: begun.set() if "layers" in text else None)
        thread.join()
        more.set()  # at the next word of the engine nobody reads any more
        assert held.let_go.wait(SECONDS), "the engine goes on with it"
    with pytest.raises(docker.errors.ImageNotFound):
        api.inspect_image(slow)


def test_a_tag_that_moves_does_not_move_a_box_that_was_prepared(node: Node, api: Any, made: list[str]) -> None:
    image = derive(api, made, "moving", pack({"one": b"1"}))
    before = node.prepare(reference=image)
    derive(api, made, "moving", pack({"two": b"2"}))
    after = node.prepare(reference=image, box="2-1")
    assert before.image != after.image
    assert node.environments.find(node.boxes / "1-1") == before
    made.append(before.image)


class Held:
    """A proxy to a port of this machine. Each PART that has come over a connection waits for the next of the gates."""

    PART = 4_000_000

    def __init__(self, port: int, *gates: threading.Event) -> None:
        self.target = port
        self.gates = gates
        self.held: set[socket.socket] = set()
        self.let_go = threading.Event()  # whoever was held has hung up
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.server.getsockname()[1])

    def __enter__(self) -> int:
        threading.Thread(target=self.accept, daemon=True).start()
        return self.port

    def __exit__(self, *_: object) -> None:
        for gate in self.gates:
            gate.set()
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()

    def accept(self) -> None:
        while True:
            try:
                near, _ = self.server.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self.copy, args=(near, far), daemon=True).start()
            threading.Thread(target=self.copy, args=(far, near), daemon=True).start()

    def copy(self, source: socket.socket, sink: socket.socket) -> None:
        came, left = 0, list(self.gates)
        try:
            while data := source.recv(65536):
                came += len(data)
                if left and came > self.PART:
                    self.held.add(sink)
                    left.pop(0).wait(SECONDS)
                    came = 0
                sink.sendall(data)
        except OSError:
            return
        finally:
            if source in self.held:
                self.let_go.set()
            for one in (source, sink):
                one.close()


# Building ----------------------------------------------------------------------------------------------------------


def test_packages_of_pip_and_apt_are_installed_once_and_then_shared(node: Node) -> None:
    wanted = {"reference": node.base, "requirements": ("humanize==4.9.0",), "packages": ("tree",)}
    first = node.prepare(**wanted)
    assert node.run(first, first.python, "-c", "import humanize; print(humanize.__version__)") == "4.9.0"
    assert "tree v" in node.run(first, "/usr/bin/tree", "--version")
    assert any(text.startswith("Installing tree, humanize==4.9.0") for text in node.told)
    node.told.clear()
    assert node.prepare(box="2-1", **wanted) == first
    assert node.told == []


def test_what_was_made_ahead_is_there_when_it_is_asked_for(node: Node) -> None:
    wanted = {"reference": node.base, "requirements": ("humanize==4.4.0",), "key": "as-the-server-names-it"}
    node.environments.warm(Environment(**wanted), threading.Event())
    assert node.prepare(**wanted).image
    assert node.told == []
    assert {node.base, "as-the-server-names-it"} <= set(node.environments.holds)


def test_nothing_that_configures_pip_stays_in_an_environment(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "https://somebody:canary-of-the-index@127.0.0.1:1/simple"
    variables = {**PIP, "PIP_EXTRA_INDEX_URL": secret}
    site = ImageSite(network="host", variables=variables)
    environments = DockerEnvironments(node.engine, node.boxes.parent / "images", node.boxes, site)
    (node.boxes / "1-1").mkdir(parents=True)
    prepared = environments.prepare(
        Environment(reference=node.base, packages=("tree",)), node.boxes / "1-1", node.told.append
    )
    assert "canary" not in json.dumps(node.engine.api.inspect_image(prepared.image))
    assert "canary" not in node.run(prepared, "/bin/sh", "-c", "env; grep -rs canary /nsml-build /root /tmp /etc; ls /")
    assert "nsml-build" not in node.run(prepared, "/bin/ls", "/")


def test_nothing_an_image_sets_is_carried_into_the_build_and_all_of_it_into_the_environment(
    node: Node, api: Any, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = "ENV LD_PRELOAD=/nowhere.so NVIDIA_VISIBLE_DEVICES=all KEPT=yes"
    image = derive(api, made, "sets", pack({"loose/here": b"1"}), [sets, "VOLUME /loose", "ENTRYPOINT /bin/false"])
    seen: dict[str, Any] = {}
    commit = api.commit

    def look_and_commit(box: str, *words: Any, **more: Any) -> Any:
        seen.update(api.inspect_container(box))
        return commit(box, *words, **more)

    monkeypatch.setattr(api, "commit", look_and_commit)
    prepared = node.prepare(reference=image, requirements=("humanize==4.9.0",))
    variables = dict(pair.split("=", 1) for pair in seen["Config"]["Env"] if "=" in pair)
    assert (variables["NVIDIA_VISIBLE_DEVICES"], variables["KEPT"]) == ("void", "yes")
    assert "LD_PRELOAD" not in variables
    assert seen["Mounts"] == []
    assert 0 < seen["HostConfig"]["NanoCpus"] <= os.cpu_count() * 10**9
    kept = api.inspect_image(prepared.image)["Config"]["Env"]
    assert set(api.inspect_image(image)["Config"]["Env"]) == set(kept)


def test_an_image_that_keeps_its_packages_in_a_volume_is_told_so(node: Node, api: Any, made: list[str]) -> None:
    bare = node.prepare(reference=node.base)
    folder = node.run(bare, bare.python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])")
    image = derive(api, made, "volume", pack({"nothing": b""}), [f"VOLUME {folder}"])
    with pytest.raises(EnvironmentFailed, match="keeps its packages in a VOLUME"):
        node.prepare(reference=image, requirements=("humanize==4.9.0",))


def test_what_an_image_has_already_is_not_installed(node: Node) -> None:
    bare = node.prepare(reference=node.base)
    same = node.prepare(
        reference=node.base, requirements=("pip>=20", "nothing; python_version<'3'"), packages=("bash",)
    )
    assert same.image == bare.image


def test_pips_own_reason_is_told(node: Node) -> None:
    with pytest.raises(EnvironmentFailed, match="No matching distribution found for no-such-package-of-ours"):
        node.prepare(reference=node.base, requirements=("no-such-package-of-ours",))


def test_apts_own_reason_is_told(node: Node) -> None:
    with pytest.raises(EnvironmentFailed, match="apt-get: Unable to locate package no-such-package-of-ours"):
        node.prepare(reference=node.base, packages=("no-such-package-of-ours",))


def test_two_who_need_the_same_wait_for_one_build(node: Node) -> None:
    """The first installs, and does not go on before the second has said that it waits."""
    installs, waits = threading.Event(), threading.Event()
    images: dict[str, str] = {}

    def tell_first(text: str) -> None:
        if text.startswith("Installing"):
            installs.set()
            assert waits.wait(SECONDS)

    def tell_second(text: str) -> None:
        if text == "Waiting for the same packages, which another session installs":
            waits.set()

    def prepare(box: str, tell: Callable[[str], None]) -> None:
        images[box] = node.prepare(tell, box, reference=node.base, requirements=("humanize==4.8.0",)).image

    first = threading.Thread(target=prepare, args=("1-1", tell_first))
    first.start()
    assert installs.wait(SECONDS)
    prepare("2-1", tell_second)
    first.join()
    assert waits.is_set()
    assert images["1-1"] == images["2-1"]


def test_a_stop_ends_a_build_at_once(node: Node, endless: tuple[str, threading.Event]) -> None:
    requirement, fetched = endless
    stopped_at: list[float] = []

    def stop() -> None:
        fetched.wait(SECONDS)
        stopped_at.append(time.monotonic())
        node.environments.interrupt(node.boxes / "1-1")

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(PreparationStopped):
        node.prepare(reference=node.base, requirements=(requirement,))
    stopper.join()
    assert fetched.is_set()
    assert time.monotonic() - stopped_at[0] < 60  # and not the 600 seconds that it would take
    assert node.leftovers() == []


def test_a_worker_that_leaves_takes_its_builds_with_it_and_ends_no_session(
    node: Node, endless: tuple[str, threading.Event]
) -> None:
    requirement, fetched = endless
    leaver = threading.Thread(target=lambda: (fetched.wait(SECONDS), node.environments.close()))
    leaver.start()
    with pytest.raises(Leaving):
        node.prepare(reference=node.base, requirements=(requirement,))
    leaver.join()
    assert fetched.is_set()
    assert node.leftovers() == []


def test_an_interrupted_build_is_cleared_away_at_the_next_start(node: Node, api: Any) -> None:
    box = api.create_container(BASE, ["sleep", "1000"], labels=node.engine.labels(BUILD), host_config=alone(api))
    api.start(box)
    stranger = api.create_container(BASE, ["sleep", "1000"], labels={"nsml.kind": "build", "nsml.node": "another"})
    try:
        node.environments.clear()
        assert node.leftovers() == []
        assert api.inspect_container(stranger)["Id"] == stranger["Id"]
    finally:
        api.remove_container(stranger)


def test_the_longest_unused_goes_when_the_disk_for_images_is_full(node: Node, api: Any) -> None:
    first = node.prepare(box="1-1", reference=node.base, requirements=("humanize==4.7.0",))
    second = node.prepare(box="2-1", reference=node.base, requirements=("humanize==4.6.0",))
    shutil.rmtree(node.boxes / "1-1")
    small = ImageSite(network="host", variables=PIP, budget=1_100_000)
    environments = DockerEnvironments(node.engine, node.boxes.parent / "images", node.boxes, small)
    (node.boxes / "3-1").mkdir()
    wanted = Environment(reference=node.base, requirements=("humanize==4.5.0",))
    third = environments.prepare(wanted, node.boxes / "3-1", node.told.append)
    with pytest.raises(docker.errors.ImageNotFound):
        api.inspect_image(first.image)
    assert api.inspect_image(second.image)  # a box uses it
    assert api.inspect_image(third.image)
    assert api.inspect_image(node.base)  # not ours
