"""Which images are let go, decided beside an engine that only lists them."""

from pathlib import Path
from typing import Any

import docker.errors
import pytest

from nsml_worker.containers.engine import Engine
from nsml_worker.containers.shelf import Shelf


class Images:
    """Stands in for the SDK's client: names and what they mean."""

    def __init__(self, **names: str) -> None:
        self.names = {name.replace("_", ":"): image for name, image in names.items()}
        self.removed: list[str] = []

    def inspect_image(self, name: str) -> dict[str, Any]:
        if name not in self.names:
            raise docker.errors.ImageNotFound(name)
        return {"Id": self.names[name]}

    def remove_image(self, name: str) -> None:
        self.removed.append(name)

    def images(self, **_: Any) -> list[dict[str, Any]]:
        return [
            {"Id": image, "RepoTags": [name], "Size": 7, "Labels": {"nsml.base": "base"}}
            for name, image in self.names.items()
        ]


@pytest.fixture
def images() -> Images:
    return Images(python_3="pulled", own_1="theirs")


@pytest.fixture
def shelf(images: Images, tmp_path: Path) -> Shelf:
    return Shelf(Engine(images, "node", str(tmp_path)), tmp_path / "images", tmp_path / "boxes", budget=5)


def test_what_was_pulled_goes_when_room_is_short(shelf: Shelf, images: Images) -> None:
    shelf.add("pulled", "python:3", 7)
    shelf.evict()
    assert images.removed == ["python:3"]
    assert shelf.kept() == []


def test_a_name_that_has_come_to_mean_another_image_is_left_to_whoever_changed_it(shelf: Shelf, images: Images) -> None:
    shelf.add("pulled", "python:3", 7)
    images.names["python:3"] = "built by the operator"
    shelf.evict()
    assert images.removed == []
    assert shelf.kept() == []


def test_an_image_that_somebody_built_on_an_environment_is_not_ours(shelf: Shelf, images: Images) -> None:
    """It has the environment's labels."""
    images.names = {"team/own:1": "theirs", "nsml-env:abc": "ours"}
    shelf.tidy()
    assert [one.reference for one in shelf.kept()] == ["nsml-env:abc"]
