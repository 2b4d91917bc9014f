"""Boxes that are containers. What outlives the worker is held by the engine and on disk, never by a process of ours."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from pathlib import Path
from typing import Any

import docker.errors
import requests
import structlog

from nsml_worker.box import DISK, PLAN, Box, BoxId, find_boxes, remove_rest
from nsml_worker.box_plan import APP, FETCHED
from nsml_worker.box_users import find_free_user
from nsml_worker.containers import disk as disks
from nsml_worker.containers.box import Image, Site, make_container
from nsml_worker.containers.endings import Endings
from nsml_worker.containers.engine import BOX, LABEL_ATTEMPT, LABEL_RUN, Engine, telling
from nsml_worker.containers.environments import DockerEnvironments, PreparedImage
from nsml_worker.containers.events import read_box
from nsml_worker.containers.image import variables_of, volumes_of
from nsml_worker.containers.stats import measure
from nsml_worker.contract import EndReason, Environment, RunSpec
from nsml_worker.errors import BoxFailed, EngineFailed, ImageMissing
from nsml_worker.fields import write_fields
from nsml_worker.gauge import Spent
from nsml_worker.materialise import Blobs, check_path, lay_out
from nsml_worker.runner import Tell, keep_quiet
from nsml_worker.streaming import Watch

GRACE = 10.0  # seconds

log = structlog.get_logger()


class DockerRunner:
    """Runner with containers, on the Docker engine of this machine."""

    name = "docker"

    def __init__(
        self,
        boxes: Path,
        engine: Engine,
        environments: DockerEnvironments,
        site: Site,
        *,
        grace: float = GRACE,
        disk: int | None = None,
    ) -> None:
        """`grace`: seconds a program has between being asked to stop and being killed. `disk`: bytes a box may write whose
        spec names no limit; None: its share of what is free now.
        """
        self._boxes = boxes
        self._engine = engine
        self._environments = environments
        self._site = site
        self._lock = threading.Lock()
        self._ready: dict[BoxId, Image] = {}  # prepared and not started
        self._facts: dict[str, dict[str, Any]] = {}  # of images, by their ids: an id never means another image
        boxes.mkdir(mode=0o711, parents=True, exist_ok=True)
        self._disk = disk
        self._obstacle = disks.find_obstacle(boxes.parent / "disk-probe")
        if self._obstacle:
            log.warning("disks_not_limited", said=self._obstacle)
        self._endings = Endings(boxes, engine, self._name_of, grace, self._choose_disk())

    @property
    def confinement(self) -> str:
        """See Runner."""
        return "docker (disks only measured)" if self._obstacle else "docker"

    @property
    def images(self) -> tuple[str, ...]:
        """See Runner. An engine that is away has none."""
        try:
            return self._environments.images
        except EngineFailed as error:
            log.warning("engine_away", said=str(error))
            return ()

    @property
    def holds(self) -> tuple[str, ...]:
        """See Runner."""
        try:
            return self._environments.holds
        except EngineFailed:
            return ()

    def warm(self, wanted: Environment, stop: threading.Event) -> None:
        """Pull and build what somebody may ask for. Raises RunFailed as `prepare` does; `stop` gives it up."""
        self._environments.warm(wanted, stop)

    def close(self) -> None:
        """See Runner."""
        self._environments.close()
        self._endings.close()

    def find(self, spec: RunSpec, token: str) -> Box:
        """See Runner."""
        return Box(self._boxes / str(BoxId(spec.run_id, spec.attempt)), spec, token)

    def prepare(self, box: Box, blobs: Blobs, tell: Tell = keep_quiet) -> None:
        """See Runner."""
        disks.remove_disk(box.folder)
        box.empty()
        prepared = self._environments.prepare(box.spec.environment_of or Environment(), box.folder, tell)
        self._ready[box.id] = self._describe(prepared)
        uid = self._make_folders(box)
        views = box.folder / "views"
        views.mkdir(mode=0o700)  # the engine binds what lies in it; nobody else on this machine passes
        for mount, folder in zip(box.spec.mounts, list_places(box), strict=True):
            check_path(mount.target.lstrip("/"))
            lay_out(mount.tree, folder, blobs, writable=mount.writable, uid=uid)
        box.app.chmod(0o700)

    def start(self, box: Box) -> None:
        """See Runner."""
        image = self._ready.pop(box.id)
        places = dict(zip((mount.target for mount in box.spec.mounts), list_places(box), strict=True))
        places.pop(APP, None)
        labels = self._engine.labels(BOX, **label(box.id))
        wanted = make_container(box, places, image, box.app.stat().st_uid, self._site, labels)
        container = self._create(box.id, wanted)
        self._endings.hold(box)
        try:
            write_fields(str(box.folder / PLAN), [("container", container)])
            with telling("The engine cannot start the box"):
                self._engine.api.start(container)
            self._endings.started(box)
        finally:
            self._endings.release(box)

    def name_fetched(self, box: Box) -> str:
        """See Runner."""
        return FETCHED

    def watch(self, box: Box) -> Watch:
        """See Runner. A box of which the container vanished gets an end too, so it goes on until it has one."""
        return Watch(box, supervisor=None, is_alive=lambda: True)

    def measure(self, box: Box) -> Spent | None:
        """See Runner."""
        return None if box.has_ended else measure(self._engine, self._name_of(box.id))

    def stop(self, box: Box, at_once: bool = False) -> None:
        """See Runner. What is pulled or built for it is given up."""
        self._environments.interrupt(box.folder)
        self._endings.ask(box, EndReason.STOPPED, at_once)

    def clean(self, box: Box) -> None:
        """See Runner."""
        self._endings.hold(box)
        try:
            self._ready.pop(box.id, None)
            self._sweep(box.id)
            disks.remove_disk(box.folder)
            box.remove()
        finally:
            self._endings.release(box)

    def reattach(self) -> list[Box]:
        """See Runner. What is left of boxes that were being removed goes. A box that cannot be read keeps its container."""
        found = find_boxes(self._boxes)
        for rest in found.rests:
            self._remove_rest(rest)
        for box in found.boxes:
            with contextlib.suppress(EngineFailed):
                self._endings.restore(box)
        self._collect({*(box.id for box in found.boxes), *found.unreadable})
        return list(found.boxes)

    def _name_of(self, box: BoxId) -> str:
        """Its container. Two platforms may share an engine, and call their nodes the same."""
        return f"nsml-{hashlib.sha256(self._engine.folder.encode()).hexdigest()[:8]}-{box}"

    def _describe(self, prepared: PreparedImage) -> Image:
        facts = self._facts.get(prepared.image)
        if facts is None:
            with telling("The image of a box cannot be looked at"):
                facts = self._facts[prepared.image] = self._engine.api.inspect_image(prepared.image)
        volumes = volumes_of(facts, prepared.image)
        return Image(prepared.image, prepared.python, prepared.path, tuple(variables_of(facts)), volumes)

    def _choose_disk(self) -> int:
        """Bytes for a box whose spec names no limit."""
        return self._disk or disks.choose_size(
            self._boxes, len(os.sched_getaffinity(0)) + 1
        )  # one each, and one that scores

    def _make_folders(self, box: Box) -> int:
        """The folders a program may write to, on a disk of their own; returns the user they belong to."""
        with self._lock:
            uid = find_free_user(self._boxes) if os.geteuid() == 0 else os.geteuid()
            if self._obstacle:
                (box.folder / DISK).mkdir(mode=0o711)
            else:
                disks.make_disk(box.folder, box.spec.limits.disk or self._choose_disk())
            for folder in (box.app, box.home, box.home / "out", box.home / "checkpoints", box.scratch, box.keep):
                folder.mkdir(mode=0o700)
                os.chown(folder, uid, uid)
        box.fetched.mkdir(mode=0o711)
        os.chown(box.home, os.geteuid(), uid)
        box.home.chmod(0o1770)  # sticky: what the worker puts there, the program cannot take away or replace
        return uid

    def _create(self, box: BoxId, wanted: dict[str, Any]) -> str:
        with telling("The engine cannot make the box"):
            try:
                made = self._create_anew(box, wanted)
            except docker.errors.ImageNotFound as error:
                raise ImageMissing(f"the image {wanted['Image']} was removed from this machine") from error
        if made.get("Warnings"):
            log.warning("box_limits", said=made["Warnings"])
        return str(made["Id"])

    def _create_anew(self, box: BoxId, wanted: dict[str, Any]) -> dict[str, Any]:
        """Its name is taken where a worker was killed just before it started one: that one goes."""
        create = self._engine.api.create_container_from_config
        try:
            made: dict[str, Any] = create(wanted, self._name_of(box))
        except docker.errors.APIError as error:
            if error.status_code != requests.codes.conflict:
                raise
            self._sweep(box)
            made = create(wanted, self._name_of(box))
        return made

    def _sweep(self, box: BoxId) -> None:
        """Remove the containers of a box; there is at most one, and none before it was started."""
        for one in self._engine.containers(BOX, **label(box)):
            self._engine.remove(one["Id"])

    def _remove_rest(self, box: BoxId) -> None:
        folder = self._boxes / str(box)
        try:
            self._sweep(box)
            disks.remove_disk(folder)
            remove_rest(folder)
            log.info("rest_removed", box=str(box))
        except (BoxFailed, OSError) as error:  # at the next start again
            log.error("rest_not_removed", box=str(box), said=str(error))

    def _collect(self, known: set[BoxId]) -> None:
        """Remove containers that carry our label and belong to no box that is here."""
        with contextlib.suppress(EngineFailed):
            for one in self._engine.containers(BOX):
                if read_box(one.get("Labels") or {}) not in known:
                    self._engine.remove(one["Id"])
                    log.info("container_collected", name=one.get("Names"))


def label(box: BoxId) -> dict[str, str]:
    """What a container says of the box it is."""
    return {LABEL_RUN: str(box.run_id), LABEL_ATTEMPT: str(box.attempt)}


def list_places(box: Box) -> list[Path]:
    """Where the files of each mount lie: what may be written to on the box's disk, the rest beside it."""
    return [
        box.app if mount.target == APP else (box.room if mount.writable else box.folder) / "views" / str(number)
        for number, mount in enumerate(box.spec.mounts)
    ]
