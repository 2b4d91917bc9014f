"""How an image is looked into, by an engine that only plays."""

import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from nsml_worker.containers import python
from nsml_worker.containers.engine import Engine
from nsml_worker.containers.environments import DockerEnvironments
from nsml_worker.containers.python import Pythons
from nsml_worker.contract import Environment
from nsml_worker.errors import NoPython, PreparationStopped

ANSWER = json.dumps({"version": "3.8.1", "implementation": "CPython", "packages": {}, "debian": {}})


class Image:
    """An image, and the engine that has it. Every Python in it says `answer`, or sleeps when that is None."""

    base_url, api_version = "http://engine", "1.41"

    def __init__(self, answer: str | None, folders: int = 1, volumes: tuple[str, ...] = ()) -> None:
        self.answer = answer
        path = ":".join(f"/folder{number}" for number in range(folders))
        variables = [f"PATH={path}", "LD_PRELOAD=/own.so", "NVIDIA_VISIBLE_DEVICES=all"]
        self.facts = {"Id": "sha256:1", "Config": {"Env": variables, "Volumes": {volume: {} for volume in volumes}}}
        self.now = 0.0
        self.made: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.on_wait = lambda: None

    def inspect_image(self, _: str) -> dict[str, Any]:
        return self.facts

    def create_host_config(self, **words: Any) -> dict[str, Any]:
        return words

    def create_container(self, _: str, **words: Any) -> dict[str, str]:
        self.made.append(words)
        return {"Id": words["entrypoint"][0]}

    def remove_container(self, *_: Any, **__: Any) -> None:
        pass

    def head(self, *_: Any, params: dict[str, str]) -> Any:
        return SimpleNamespace(status_code=200 if params["path"].endswith("/python") else 404)

    def start(self, box: str) -> None:
        self.asked.append(box)

    def wait(self, _: str, timeout: float) -> dict[str, int]:
        self.on_wait()
        if self.answer is None:
            self.now += timeout
            raise requests.exceptions.ReadTimeout("Read timed out.")
        return {"StatusCode": 0}

    def logs(self, _: str) -> bytes:
        return (self.answer or "").encode()

    def find(self, stop: threading.Event | None = None) -> python.ImagePython:
        return Pythons(Engine(self, "node", "/folder")).find("sha256:1", "team/speech:2", stop or threading.Event())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[Image]:
    """Time is that of the image in the list."""
    images: list[Image] = []
    monkeypatch.setattr(python, "time", SimpleNamespace(monotonic=lambda: images[0].now))
    return images


def test_an_image_full_of_sleeping_pythons_is_given_up_after_a_while(clock: list[Image]) -> None:
    image = Image(None, folders=500)
    clock.append(image)
    with pytest.raises(NoPython, match="No Python of team/speech:2 said what it is within 120 seconds"):
        image.find()
    assert image.now < python.PATIENCE + 2
    assert len(image.asked) <= 3


def test_only_so_many_files_of_an_image_are_asked(clock: list[Image]) -> None:
    image = Image("nonsense", folders=500)
    clock.append(image)
    with pytest.raises(NoPython, match="has no Python"):
        image.find()
    assert len(image.asked) == python.CANDIDATES


def test_whoever_stops_its_run_does_not_wait_for_an_image(clock: list[Image]) -> None:
    image, stop = Image(None), threading.Event()
    clock.append(image)
    image.on_wait = stop.set
    with pytest.raises(PreparationStopped):
        image.find(stop)
    assert image.now <= python.LOOK


def test_a_box_that_looks_into_an_image_meets_none_of_its_volumes_and_variables(clock: list[Image]) -> None:
    image = Image(ANSWER, volumes=("//models", "data"))
    clock.append(image)
    assert image.find().executable == "/folder0/python"
    for made in image.made:
        assert set(made["host_config"]["tmpfs"]) == {"/models", "/data"}
        assert made["environment"] == ["NVIDIA_VISIBLE_DEVICES=void", "LD_PRELOAD"]


def test_where_volumes_may_hide_a_python_they_are_named(clock: list[Image]) -> None:
    image = Image("", volumes=("/opt/conda",))
    clock.append(image)
    with pytest.raises(NoPython, match=r"nothing below its volumes \(/opt/conda\) is seen"):
        image.find()


def test_an_image_that_takes_its_time_keeps_nobody_from_another(tmp_path: Path) -> None:
    began, go = threading.Event(), threading.Event()

    class Two(Image):
        def inspect_image(self, reference: str) -> dict[str, Any]:
            return {"Id": reference, "Config": {"Env": ["PATH=/folder0"]}}

        def create_container(self, image: str, **words: Any) -> dict[str, str]:
            return {"Id": image}

        def wait(self, box: str, timeout: float) -> dict[str, int]:
            if box == "slow":
                began.set()
                assert go.wait(60)
            return {"StatusCode": 0}

    environments = DockerEnvironments(Engine(Two(ANSWER), "node", "/folder"), tmp_path / "images", tmp_path)
    (tmp_path / "1-1").mkdir()
    slow = threading.Thread(target=environments.warm, args=(Environment(reference="slow"), threading.Event()))
    slow.start()
    try:
        assert began.wait(60)
        assert environments.prepare(Environment(reference="quick"), tmp_path / "1-1", print).image == "quick"
        assert slow.is_alive()
    finally:
        go.set()
        slow.join()
