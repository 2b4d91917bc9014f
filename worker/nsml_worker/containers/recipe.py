"""What has to be installed into an image for a program, and under which name the result is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from nsml_worker.containers.python import ImagePython
from nsml_worker.contract import Environment
from nsml_worker.installed import find_unmet, markers_of

REPOSITORY = "nsml-env"
GIT, GIT_ADDRESS = "git", "git+"  # pip needs the one for the other
VERSION = "1"  # counts up when the same needs would be installed in another way


@dataclass(frozen=True)
class Recipe:
    """What is to be made. `image` is the base's id, `name` what people call it, `key` the tag of the result."""

    image: str
    name: str
    python: str
    requirements: tuple[str, ...]
    packages: tuple[str, ...]
    key: str

    @property
    def tag(self) -> str:
        """Under which name the engine keeps the result."""
        return f"{REPOSITORY}:{self.key}"

    @property
    def wanted(self) -> tuple[str, ...]:
        """All that is installed."""
        return (*self.packages, *self.requirements)


def make_recipe(wanted: Environment, image: str, name: str, python: ImagePython) -> Recipe:
    """What has to be installed into an image, without what it has."""
    versions = {str(canonicalize_name(package)): version for package, version in python.packages.items()}
    requirements = find_unmet(wanted.requirements, lambda: versions, markers_of(python.version, python.implementation))
    asked = (*wanted.packages, GIT) if any(GIT_ADDRESS in text for text in requirements) else wanted.packages
    packages = tuple(package for package in dict.fromkeys(asked) if not _has(python.debian, package))
    return Recipe(image, name, python.executable, requirements, packages, key_of(image, requirements, packages))


def key_of(image: str, requirements: tuple[str, ...], packages: tuple[str, ...]) -> str:
    """The same for the same needs on the same image, in any order."""
    wanted = sorted({_normalise(item) for item in requirements})
    facts = [VERSION, image, wanted, sorted(set(packages))]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]


def _normalise(requirement: str) -> str:
    text = " ".join(requirement.split())
    return text if "://" in text else text.lower()


def _has(debian: Mapping[str, str], package: str) -> bool:
    name, _, version = package.partition("=")
    return name in debian and version in ("", debian[name])
