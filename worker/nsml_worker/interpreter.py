"""What the name of an image means to a runner of processes: a Python and the folders it needs."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Interpreter:
    """A Python on this node. `prefixes` are the folders outside /usr that it needs to start and to import."""

    executable: str
    prefixes: tuple[str, ...] = ()

    @classmethod
    def current(cls) -> Interpreter:
        """The one this worker runs in, with everything installed beside it."""
        real = Path(os.path.realpath(sys.executable)).parent.parent
        found = {sys.prefix, sys.base_prefix, os.path.realpath(sys.base_prefix), str(real)}
        return cls(sys.executable, tuple(sorted(path for path in found if not Path(path).is_relative_to("/usr"))))

    @property
    def search_path(self) -> str:
        """PATH for its programs."""
        return f"{os.path.dirname(self.executable)}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"  # noqa: PTH120
