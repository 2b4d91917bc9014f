"""What an image brings along, and what of it no box of ours is to meet: read from what the engine says of it."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from nsml_worker.box_plan import SDK
from nsml_worker.errors import ImageMissing

STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What an image sets and no program of ours is to meet: the loader's, Python's, the GPU runtime's, the shell's, our own.
SCRUBBED = ("LD_", "PYTHON", "NVIDIA_", "CUDA_VISIBLE", "NSML", "BASH_ENV", "ENV")
GPUS = "NVIDIA_VISIBLE_DEVICES"
NO_GPU = "void"  # for NVIDIA's runtime: not even the driver
NO_VOLUMES = ("/", "/proc")  # what the engine does not let anybody cover
MOST_VOLUMES = 64  # each is a mount
COVER = "ro,nosuid,nodev,noexec,size=4k"  # what is laid over a volume: an empty folder to which nobody can write


def variables_of(facts: Mapping[str, Any]) -> dict[str, str]:
    """The variables an image sets."""
    pairs = ((facts.get("Config") or {}).get("Env")) or ()
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def find_path(facts: Mapping[str, Any]) -> str:
    """PATH as an image sets it."""
    return variables_of(facts).get("PATH") or STANDARD_PATH


def scrub_variables(facts: Mapping[str, Any]) -> list[str]:
    """For a box that runs nobody's program: no GPU, and bare names, which take the image's own variables away."""
    names = (name for name in variables_of(facts) if name.startswith(SCRUBBED) and name != GPUS)
    return [f"{GPUS}={NO_GPU}", *names]


def volumes_of(facts: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The folders for which the engine would make volumes, which nobody limits; as it understands them.

    Args:
        name: what people call the image.

    Raises:
        ImageMissing: no folder of ours can be laid over them.
    """
    declared = tuple((facts.get("Config") or {}).get("Volumes") or ())
    folders = tuple(dict.fromkeys(posixpath.normpath("/" + path.lstrip("/")) for path in declared))
    wrong = [folder for folder in folders if folder in NO_VOLUMES or folder.startswith((f"{SDK}/", "/proc/"))]
    if wrong:
        raise ImageMissing(f"{name} cannot be used: {wrong[0]} cannot be a VOLUME; declare another folder in the image")
    if len(folders) > MOST_VOLUMES:
        raise ImageMissing(
            f"{name} cannot be used: it declares {len(folders):,} volumes, and {MOST_VOLUMES} are the most"
        )
    return folders
