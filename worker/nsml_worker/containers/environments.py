"""The environments of a node that runs containers: an image each, pulled or built once for whoever needs the same.

A program whose requirements its image has already met runs in that image as it is. Otherwise pip and apt fill a box, and
what they leave is kept as `nsml-env:<key>`, the key being everything that goes in.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker.errors
import structlog

from nsml_worker.containers.build import BuildSite, build
from nsml_worker.containers.engine import BUILD, PROBE, Engine, telling
from nsml_worker.containers.pull import describe_bound, pull
from nsml_worker.containers.python import Pythons
from nsml_worker.containers.recipe import REPOSITORY, Recipe, make_recipe
from nsml_worker.containers.shelf import IMAGE, Shelf
from nsml_worker.containers.site import RUNTIMES, ImageSite, has_registry
from nsml_worker.contract import Environment
from nsml_worker.environments import TELL_EVERY
from nsml_worker.errors import EngineFailed, ImageMissing, Leaving, PreparationStopped
from nsml_worker.fields import read_fields, write_fields
from nsml_worker.runner import Tell, keep_quiet
from nsml_worker.runtimes import DEFAULT, TF1_ON_2

LOOK = 0.2  # seconds between two looks at whether a run that waits for another was stopped
BUILDS = 2  # at a time: each may have half of the machine's memory and processors
OFFER_SECONDS = 20.0  # what a node has is asked for with each heartbeat

log = structlog.get_logger()


@dataclass(frozen=True)
class PreparedImage:
    """What a box is started with: an image's id, its Python, and PATH for the program."""

    image: str
    python: str
    path: str


@dataclass(frozen=True)
class Offer:
    """What a node has; `until` by the monotonic clock, after which it is looked up again."""

    runtimes: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    until: float = 0.0


class DockerEnvironments:
    """Finds, pulls, builds and forgets images. Every method may be called by any thread."""

    def __init__(self, engine: Engine, folder: Path, boxes: Path, site: ImageSite | None = None) -> None:
        """`folder` is ours, for what must be remembered; `boxes` is where boxes say which image they use."""
        self._engine = engine
        self._site = site or ImageSite()
        self._shelf = Shelf(engine, folder, boxes, self._site.budget)
        self._pythons = Pythons(engine, self._site.runtime)
        self._lock = threading.Lock()  # of the shelf and of what follows
        self._turns: dict[str, threading.Semaphore] = {}
        self._builds = threading.Semaphore(BUILDS)
        self._stops: dict[Path, threading.Event] = {}
        self._leaving = False
        self._made: dict[str, str] = {}  # what the server calls an environment → the image's id
        self._offer = Offer()

    @property
    def images(self) -> tuple[str, ...]:
        """The runtimes that a run may ask for here: those that are here, or all where a registry of their own has them."""
        return self._look().runtimes

    @property
    def holds(self) -> tuple[str, ...]:
        """What is here already: references of images, and the keys under which the server knows environments."""
        return self._look().holds

    def prepare(self, wanted: Environment, box: Path, tell: Tell) -> PreparedImage:
        """The image for a box, pulled and built now if need be; what `find` finds from then on.

        Args:
            box: the box's folder.
            tell: is given what takes time.

        Raises:
            ImageMissing: there is no such image, with the registry's reason.
            NoPython: the image has none that is new enough.
            EnvironmentFailed: with pip's or apt's reason.
            PreparationStopped: see `interrupt`.
            Leaving: see `close`.
            EngineFailed: the engine's fault.
        """
        stop = threading.Event()
        with self._lock:
            self._stops[box] = stop
        try:
            prepared = self._make(wanted, Changes(tell), stop)
            return self._settle(box, prepared)
        except PreparationStopped:
            if self._leaving:
                raise Leaving("The worker leaves.") from None
            raise
        finally:
            with self._lock:
                del self._stops[box]

    def find(self, box: Path) -> PreparedImage:
        """The image that was prepared for a box."""
        fields = dict(read_fields(str(box / IMAGE)))
        return PreparedImage(fields["image"], fields["python"], fields["path"])

    def interrupt(self, box: Path) -> None:
        """The run of a box was stopped: what is pulled or built for it now is given up. Does nothing otherwise."""
        with self._lock:
            stop = self._stops.get(box)
        if stop is not None:
            stop.set()

    def close(self) -> None:
        """The worker leaves: whatever is pulled or built now is given up."""
        with self._lock:
            self._leaving = True
            stops = list(self._stops.values())
        for stop in stops:
            stop.set()

    def warm(self, wanted: Environment, stop: threading.Event) -> None:
        """Pull and build what somebody may ask for. Raises as `prepare` does."""
        self._make(wanted, keep_quiet, stop)

    def clear(self) -> None:
        """Take away what an interrupted worker left half made. For the start, before anything is prepared."""
        for kind in (BUILD, PROBE):
            for one in self._engine.containers(kind):
                self._engine.remove(one["Id"])
        with self._lock:
            self._shelf.tidy()

    def _look(self) -> Offer:
        """What this node has; as it was a moment ago, or when the engine last answered."""
        if time.monotonic() < self._offer.until:
            return self._offer
        try:
            with telling("The images of this node cannot be listed"):
                present = self._engine.api.images()
        except EngineFailed as error:
            log.warning("images_unknown", said=str(error))
            return self._offer
        tags = [tag for one in present for tag in one.get("RepoTags") or ()]
        ids = {one["Id"] for one in present}
        with self._lock:
            self._made = {key: image for key, image in self._made.items() if image in ids}
            keys = tuple(self._made)
        runtimes = dict.fromkeys(RUNTIMES if has_registry(self._site.prefix) else ())
        runtimes.update(dict.fromkeys(filter(None, map(self._site.runtime_of, sorted(tags)))))
        if DEFAULT in runtimes:
            runtimes[TF1_ON_2] = None
        references = (tag for tag in tags if not tag.startswith((f"{REPOSITORY}:", "<none>")))
        self._offer = Offer(tuple(runtimes), (*references, *keys), time.monotonic() + OFFER_SECONDS)
        return self._offer

    def _make(self, wanted: Environment, tell: Tell, stop: threading.Event) -> PreparedImage:
        reference = self._find_reference(wanted)
        try:
            image = self._fetch(reference, tell, stop)
        except ImageMissing as error:
            if wanted.reference:
                raise
            raise ImageMissing(f"{error}; the operator makes it with `make images`") from error
        with self._wait(self._turn_of(image), f"Waiting for a look into {reference}", tell, stop):
            python = self._pythons.find(image, reference, stop)
        recipe = make_recipe(wanted, image, reference, python)
        if recipe.wanted:
            image = self._find_built(recipe) or self._build(recipe, tell, stop)
        if wanted.key:
            with self._lock:
                self._made[wanted.key] = image
        return PreparedImage(image, python.executable, python.path)

    def _find_reference(self, wanted: Environment) -> str:
        if wanted.unavailable:
            raise ImageMissing(wanted.unavailable)
        if wanted.interpreter:
            raise ImageMissing(f"{wanted.interpreter} is a Python for machines that run processes; here are containers")
        return wanted.reference or self._site.reference_of(wanted.runtime or DEFAULT)

    def _fetch(self, reference: str, tell: Tell, stop: threading.Event) -> str:
        """The id of an image: from here on no tag is asked again."""
        facts = self._inspect(reference)
        if facts is None:
            said = f"Waiting for {reference}, which another session pulls"
            with self._wait(self._turn_of(reference), said, tell, stop):
                facts = self._inspect(reference) or self._pull(reference, tell, stop)
        with self._lock:
            self._shelf.touch(facts["Id"])
        return str(facts["Id"])

    def _pull(self, reference: str, tell: Tell, stop: threading.Event) -> dict[str, Any]:
        began = time.monotonic()
        pull(self._engine, reference, self._site.credentials, self._site.budget, tell, stop)
        facts = self._inspect(reference)
        if facts is None:
            raise ImageMissing(f"{reference} was pulled and is not there")
        size = int(facts["Size"])
        log.info("image_pulled", reference=reference, size=size, seconds=round(time.monotonic() - began, 1))
        if size > self._site.budget:
            with telling("An image that is too large cannot be removed"):
                self._engine.api.remove_image(reference)
            raise ImageMissing(f"{reference} is {describe_bound(self._site.budget)}")
        with self._lock:
            self._shelf.add(facts["Id"], reference, size)
            self._shelf.evict()
        return facts

    def _find_built(self, recipe: Recipe) -> str | None:
        facts = self._inspect(recipe.tag)
        if facts is None:
            return None
        with self._lock:
            self._shelf.touch(facts["Id"])
            self._shelf.touch(recipe.image)
        return str(facts["Id"])

    def _build(self, recipe: Recipe, tell: Tell, stop: threading.Event) -> str:
        said = "Waiting for the same packages, which another session installs"
        with self._wait(self._turn_of(recipe.key), said, tell, stop):
            return self._find_built(recipe) or self._build_now(recipe, tell, stop)

    def _build_now(self, recipe: Recipe, tell: Tell, stop: threading.Event) -> str:
        site = BuildSite(self._site.network, self._site.runtime, self._site.variables, self._site.budget // 2)
        with self._wait(self._builds, f"Waiting for other sessions' packages; {BUILDS} build at a time", tell, stop):
            began = time.monotonic()
            image = build(self._engine, recipe, site, tell, stop)
        size = self._size_of(image) - self._size_of(recipe.image)
        log.info("environment_made", tag=recipe.tag, size=size, seconds=round(time.monotonic() - began, 1))
        with self._lock:
            self._shelf.add(image, recipe.tag, size, recipe.image)
            self._shelf.evict()
        return image

    def _settle(self, box: Path, prepared: PreparedImage) -> PreparedImage:
        """Write down which image the box uses: from here on it is in use."""
        with self._lock:
            fields = [("image", prepared.image), ("python", prepared.python), ("path", prepared.path)]
            write_fields(str(box / IMAGE), fields)
        return prepared

    def _turn_of(self, name: str) -> threading.Semaphore:
        with self._lock:
            return self._turns.setdefault(name, threading.Semaphore())

    @contextlib.contextmanager
    def _wait(self, place: threading.Semaphore, said: str, tell: Tell, stop: threading.Event) -> Iterator[None]:
        """As many at a time as there are places; whoever has to wait is told why."""
        if not place.acquire(blocking=False):
            tell(said)
            while not place.acquire(timeout=LOOK):
                if stop.is_set():
                    raise PreparationStopped("Stopped while it waited for another session's preparation.")
        try:
            yield
        finally:
            place.release()

    def _inspect(self, reference: str) -> dict[str, Any] | None:
        with telling("The images of this node cannot be looked at"):
            try:
                facts: dict[str, Any] = self._engine.api.inspect_image(reference)
            except docker.errors.ImageNotFound:
                return None
            return facts

    def _size_of(self, image: str) -> int:
        return int((self._inspect(image) or {}).get("Size", 0))


class Changes:
    """Tells at most one thing in TELL_EVERY seconds, and nothing twice: each is a request to the server."""

    def __init__(self, tell: Tell, clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._next = 0.0
        self._last = ""

    def __call__(self, text: str) -> None:
        now = self._clock()
        if text != self._last and now >= self._next:
            self._next, self._last = now + TELL_EVERY, text
            self._tell(text)
