"""The runtimes of this node: the platform's names for Pythons, each with the frameworks of its time.

default      the Python this worker runs in
tf1-on-2     the same, where it has TensorFlow 2: programs for TensorFlow 1 meet its v1 mode, see box_tensorflow
NAME         <folder>/NAME/bin/python, as `make runtimes` makes them: tf1, tf1.5, keras2, torch1, torch1.1, or an operator's own
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import structlog

from nsml_worker.errors import ImageMissing, NoPython
from nsml_worker.interpreter import Interpreter, describe

DEFAULT, TF1_ON_2 = "default", "tf1-on-2"
OWN = frozenset({DEFAULT, TF1_ON_2})
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}", re.ASCII)

log = structlog.get_logger()


def find_runtimes(folder: Path | None) -> dict[str, Interpreter]:
    """Name → Python, of those that start here. `folder`: where the operator keeps them."""
    own = Interpreter.current()
    found = {DEFAULT: own}
    if find_spec("tensorflow") is not None:
        found[TF1_ON_2] = own
    kept = sorted(folder.iterdir()) if folder is not None and folder.is_dir() else []
    for path in kept:
        python = path / "bin/python"
        if path.name in OWN or not _NAME.fullmatch(path.name) or not python.exists():
            continue
        try:
            found[path.name] = describe(str(python)).interpreter
        except (ImageMissing, NoPython) as error:
            log.warning("runtime_left_out", name=path.name, said=str(error))
    return found
