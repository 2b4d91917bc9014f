"""How a node comes by images, and what the platform's own runtimes are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nsml_worker.runtimes import DEFAULT, TF1_ON_2

RUNTIMES = (DEFAULT, "tf1", "tf1.5", "keras2", "torch1", "torch1.1")  # as docker/images.sh makes them
BUDGET = 100 * 2**30  # bytes


@dataclass(frozen=True)
class ImageSite:
    """How this node comes by images. `cuda`: its runtimes are those for GPUs; `credentials`: a config.json of Docker."""

    prefix: str = "nsmlctl/"
    tag: str = "latest"
    cuda: bool = False
    credentials: Path | None = None
    budget: int = BUDGET
    network: str = "bridge"
    runtime: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)

    def reference_of(self, runtime: str) -> str:
        """The Docker reference of one of the platform's runtimes. TensorFlow 2 in its v1 mode is the default's."""
        return f"{self.prefix}runtime-{DEFAULT if runtime == TF1_ON_2 else runtime}{self._tail}"

    def runtime_of(self, reference: str) -> str:
        """What an image is called: an operator may make more of them than we ship. Empty where it is none of ours."""
        begin = f"{self.prefix}runtime-"
        is_ours = reference.startswith(begin) and reference.endswith(self._tail)
        name = reference[len(begin) : len(reference) - len(self._tail)] if is_ours else ""
        return "" if not self.cuda and name.endswith("-cuda") else name

    @property
    def _tail(self) -> str:
        return f"{'-cuda' if self.cuda else ''}:{self.tag}"


def has_registry(prefix: str) -> bool:
    """Whether references with this prefix name the registry they come from, as `registry.example.org/nsml/` does."""
    host, slash, _ = prefix.partition("/")
    return bool(slash) and ("." in host or ":" in host or host == "localhost")
