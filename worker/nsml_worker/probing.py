"""Finding out how well this node can seal a box, by sealing one."""

from __future__ import annotations

import os
from pathlib import Path

import structlog

from nsml_worker.box import Box, write_private
from nsml_worker.confinement import Confinement, rungs
from nsml_worker.contract import EndReason, Limits, RunKind, RunSpec
from nsml_worker.errors import NodeTooBusy, RunFailed, SettingsInvalid
from nsml_worker.interpreter import Interpreter
from nsml_worker.materialise import BlobCache
from nsml_worker.process_runner import ProcessRunner

# What a sealed box answers: its Python starts, and it cannot read what lies beside it.
PROBE = "import sys\ntry: open(sys.argv[1]).close()\nexcept OSError: print('sealed')"
PROBE_SECONDS = 120.0  # on an idle machine it takes a fraction of one

log = structlog.get_logger()


def choose_confinement(wanted: str, images: dict[str, Interpreter], sdk: Path, folder: Path) -> Confinement:
    """The strongest confinement that works on this node, found out by running a program in it.

    Args:
        wanted: a name, or "auto".
        folder: where the trial boxes may be made; below the folder of the real ones, so that what surrounds it is the same.

    Raises:
        SettingsInvalid: the wanted one does not work here.
        NodeTooBusy: one of them could not be judged. A weaker one is no answer to that.
    """
    said = "it needs root"
    for confinement in rungs(wanted, is_root=os.geteuid() == 0):
        said = probe(confinement, images, sdk, folder)
        if not said:
            return confinement
        log.info("confinement_unavailable", tried=confinement.name, said=said)
    raise SettingsInvalid(
        f"The confinement {wanted!r} does not work on this machine: {said}. Set NSML_CONFINEMENT=auto."
    )


def probe(confinement: Confinement, images: dict[str, Interpreter], sdk: Path, folder: Path) -> str:
    """Why a confinement does not work here; empty when it does.

    Raises:
        NodeTooBusy: the trial had no end within PROBE_SECONDS.
    """
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    canary = folder / "canary"
    write_private(canary, "not for programs")
    runner = ProcessRunner(folder / "boxes", sdk, images, confinement)
    argv = ("python", "-c", PROBE, str(canary))
    limits = Limits(wall_clock=PROBE_SECONDS)
    image = next(iter(images))
    box = runner.find(RunSpec(0, 0, RunKind.TRAIN, "probe", image, argv, (), limits=limits), token="")
    try:
        box.create()
        runner.prepare(box, BlobCache(folder / "cache"))
        return _try(runner, box, confinement)
    except (RunFailed, OSError) as error:
        return str(error)
    finally:
        runner.clean(box)


def _try(runner: ProcessRunner, box: Box, confinement: Confinement) -> str:
    """Run the probe in a box that is prepared; what speaks against the confinement."""
    try:
        runner.start(box)
        said = _judge(runner, box, confinement)
    except (RunFailed, OSError) as error:
        said = str(error)
    end = box.read_exit()
    if end is not None and end.reason is EndReason.WALL_CLOCK:
        raise NodeTooBusy(
            f"A trial of the confinement {confinement.name!r} had no end within {PROBE_SECONDS:.0f} seconds: this machine is too"
            " busy, or that confinement hangs here. Start the worker again, or set NSML_CONFINEMENT to another one."
        )
    return said


def _judge(runner: ProcessRunner, box: Box, confinement: Confinement) -> str:
    watch = runner.watch(box)
    try:
        while (end := watch.exit()) is None:
            watch.wait()
        said = watch.read("log", 0, 4096).decode("utf-8", "replace").strip()
    finally:
        watch.close()
    if end.reason is EndReason.EXITED and (said == "sealed" or confinement.name == "none"):
        return ""
    return said or "a program could read what lies outside its box"
