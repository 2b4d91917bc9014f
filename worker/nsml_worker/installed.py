"""Which requirements a Python has already: decided from the metadata beside its packages, without starting it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from nsml_worker.interpreter import Description

# One program under several names: whoever asks for the first has it when any of the others is there, and the reverse.
_SAME = (frozenset({"tensorflow", "tensorflow-cpu", "tensorflow-gpu"}),)


def find_missing(requirements: Iterable[str], python: Description) -> tuple[str, ...]:
    """Those that pip would have to do something about; one with extras or an address always counts as such."""
    return find_unmet(
        requirements,
        lambda: list_versions(python.sites, times_of(python.sites)),
        markers_of(python.version, python.implementation),
    )


def find_unmet(
    requirements: Iterable[str], list_installed: Callable[[], Mapping[str, str]], markers: Mapping[str, str]
) -> tuple[str, ...]:
    """The same for any Python: canonical name → version of what it has, and what its markers are compared with."""
    versions: Mapping[str, str] | None = None
    missing = []
    for text in requirements:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:  # pip says better what is wrong with it
            missing.append(text)
            continue
        if requirement.marker is not None and not requirement.marker.evaluate(dict(markers)):
            continue
        versions = list_installed() if versions is None else versions
        if requirement.extras or requirement.url or not _is_met(requirement, versions):
            missing.append(text)
    return tuple(missing)


def times_of(sites: Iterable[str]) -> tuple[int, ...]:
    """When something was last installed there or taken away; nanoseconds."""
    return tuple(Path(site).stat().st_mtime_ns for site in sites if Path(site).is_dir())


@functools.lru_cache(maxsize=16)
def list_versions(sites: tuple[str, ...], _: tuple[int, ...]) -> dict[str, str]:
    """Canonical name → version of what is installed. The first folder wins, as it does for imports.

    Reading hundreds of files takes a while, so it is done once for each of `times_of`.
    """
    found: dict[str, str] = {}
    for distribution in metadata.distributions(path=list(sites)):
        name = distribution.metadata["Name"]
        if name:
            found.setdefault(canonicalize_name(name), distribution.version)
    return found


def _is_met(requirement: Requirement, versions: Mapping[str, str]) -> bool:
    name = canonicalize_name(requirement.name)
    names = next((same for same in _SAME if name in same), {name})
    version = next((versions[each] for each in (name, *sorted(names)) if each in versions), None)
    if version is None:
        return False
    try:
        return requirement.specifier.contains(version, prereleases=True)
    except InvalidVersion:
        return False


def markers_of(version: str, implementation: str) -> dict[str, str]:
    """What `; python_version < "3.8"` is compared with: the machine is ours, the Python is not."""
    own = {key: str(value) for key, value in default_environment().items()}
    return {
        **own,
        "python_version": version.rpartition(".")[0],
        "python_full_version": version,
        "implementation_version": version,
        "platform_python_implementation": implementation,
        "extra": "",
    }
