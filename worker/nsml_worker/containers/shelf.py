"""The images this worker brought to its node: remembered with the time of their last use, let go when room is short.

    <folder>/<id>.json    one line about an image; the file's time is that of the last use

Only what stands here is ever removed: an image that somebody else pulled or built stays.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import docker.errors
import requests
import structlog

from nsml_worker.containers.engine import ENVIRONMENT, Engine, explain, telling
from nsml_worker.containers.recipe import REPOSITORY
from nsml_worker.fields import read_fields

IMAGE = "image"  # in a box's folder: the image it runs in

log = structlog.get_logger()


@dataclass(frozen=True)
class Kept:
    """An image of ours. `base`: the id of the one it was built on, or empty; `size`: bytes beyond that."""

    record: Path
    image: str
    reference: str
    base: str
    size: int
    used_at: float


class Shelf:
    """Remembers images. Its caller sees to it that one thread at a time is in here."""

    def __init__(self, engine: Engine, folder: Path, boxes: Path, budget: int) -> None:
        """`boxes` is where boxes say which image they use; `budget` in bytes."""
        self._engine = engine
        self._folder = folder
        self._boxes = boxes
        self._budget = budget

    def add(self, image: str, reference: str, size: int, base: str = "") -> None:
        """Remember an image that has just come."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        record = self._record_of(image)
        fresh = record.with_suffix(".new")
        fresh.write_text(json.dumps({"image": image, "reference": reference, "size": size, "base": base}))
        fresh.rename(record)

    def touch(self, image: str) -> None:
        """It is used now. One that is not ours does not matter."""
        record = self._record_of(image)
        if record.exists():
            os.utime(record)

    def kept(self) -> list[Kept]:
        """What is remembered, the longest unused first."""
        found = (_read(path) for path in self._folder.glob("*.json"))
        return sorted((one for one in found if one is not None), key=lambda one: one.used_at)

    def evict(self) -> None:
        """Let the longest unused go until the rest fits. What a box uses stays, and what an environment stands on."""
        kept = self.kept()
        total = sum(one.size for one in kept)
        used = {_image_of(path) for path in self._boxes.glob(f"*/{IMAGE}")}
        for one in kept:
            if total <= self._budget:
                return
            bases = {other.base for other in self.kept()}
            if one.image not in used | bases and self._remove(one):
                total -= one.size

    def tidy(self) -> None:
        """At the start: forget what is no longer there, remember environments whose record was lost."""
        with telling("The images of this node cannot be listed"):
            present = {one["Id"] for one in self._engine.api.images(all=True)}
            ours = self._engine.api.images(filters=self._engine.filters(ENVIRONMENT))
        for one in self.kept():
            if one.image not in present:
                one.record.unlink(missing_ok=True)
        known = {one.image for one in self.kept()}
        for one in ours:
            tag = next((tag for tag in one.get("RepoTags") or () if tag.startswith(f"{REPOSITORY}:")), None)
            if one["Id"] not in known and tag:  # labels are inherited by whatever somebody builds on an environment
                self.add(one["Id"], tag, int(one["Size"]), str(one["Labels"].get("nsml.base", "")))

    def _remove(self, one: Kept) -> bool:
        """Whether it takes no room of ours any more. A name that has come to mean another image is somebody else's."""
        api = self._engine.api
        try:
            is_ours = api.inspect_image(one.reference)["Id"] == one.image
            if is_ours:
                api.remove_image(one.reference)
            log.info("image_dropped" if is_ours else "image_forgotten", reference=one.reference, size=one.size)
        except docker.errors.ImageNotFound:
            log.info("image_gone", reference=one.reference)
        except (docker.errors.DockerException, requests.RequestException) as error:  # a container uses it: another time
            log.info("image_kept", reference=one.reference, said=explain(error))
            return False
        one.record.unlink(missing_ok=True)
        return True

    def _record_of(self, image: str) -> Path:
        return self._folder / f"{image.removeprefix('sha256:')[:24]}.json"


def _read(record: Path) -> Kept | None:
    try:
        said = json.loads(record.read_text())
        return Kept(record, said["image"], said["reference"], said["base"], int(said["size"]), record.stat().st_mtime)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _image_of(path: Path) -> str:
    try:
        return dict(read_fields(str(path)))["image"]
    except (OSError, KeyError):
        return ""
