"""How long a session waits for its environment: built for it, and found as another session left it."""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.table import Row, compare
from nsml_worker.containers.engine import Engine
from nsml_worker.containers.environments import DockerEnvironments
from nsml_worker.containers.site import ImageSite
from nsml_worker.contract import Environment
from nsml_worker.errors import EngineFailed
from nsml_worker.runner import keep_quiet
from nsml_worker.settings import PIP_VARIABLES

IMAGE = "python:3.11-slim-bookworm"
WANTED = Environment(reference=IMAGE, requirements=("humanize==4.11.0",), packages=("tree",))
BUILDS, FINDS = 3, 21


def rows() -> list[Row]:
    """Both on the same engine, with one package of pip and one of Debian. Pulling the image is in neither."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            engine = Engine.open(os.environ, "benchmark", Path(folder))
        except EngineFailed as error:
            print(f"left out: {error}", file=sys.stderr)
            return []
        try:
            built, found, bare = _measure(engine, Path(folder))
        finally:
            engine.close()
    return [
        compare("an environment found vs built", found, built, goal=0.02, unit="ms"),
        compare("an environment found vs its bare image", found, bare, goal=4, unit="ms"),
    ]


def _measure(engine: Engine, folder: Path) -> tuple[float, float, float]:
    """Median milliseconds: built, found, and the same of a session that needs nothing beyond the image."""
    pip = {name: value for name, value in os.environ.items() if PIP_VARIABLES.fullmatch(name)}
    site = ImageSite(network=os.environ.get("NSML_BUILD_NETWORK", "bridge"), variables=pip)
    environments = DockerEnvironments(engine, folder / "images", folder / "boxes", site)
    plain = Environment(reference=IMAGE)
    _time(environments, plain, folder)  # the image is here and its Python known
    builds, finds, bares = [], [], []
    for _ in range(BUILDS):
        builds.append(_time(environments, WANTED, folder))
        for _ in range(FINDS):
            bares.append(_time(environments, plain, folder))
            finds.append(_time(environments, WANTED, folder))
        engine.api.remove_image(environments.find(folder / "box").image, force=True)
    return statistics.median(builds), statistics.median(finds), statistics.median(bares)


def _time(environments: DockerEnvironments, wanted: Environment, folder: Path) -> float:
    box = folder / "box"
    box.mkdir(exist_ok=True)
    before = time.perf_counter()
    environments.prepare(wanted, box, keep_quiet)
    return (time.perf_counter() - before) * 1000
