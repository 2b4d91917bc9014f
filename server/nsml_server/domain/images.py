"""The image table: what the name of an image means on this platform.

An entry maps a name, or a pattern with ``*`` and ``?``, to a target:

    runtime:NAME    one of the platform's own runtimes; each machine says which of them it has
    platform        the same as runtime:default
    python:PATH     another Python on the machines that run boxes
    docker:REF      a Docker image; only machines that run containers have it
    alias:NAME      what another entry says

Operators' entries come before the shipped ones; an exact name comes before a pattern, a longer pattern before a shorter one.
A runtime that no machine has is stood in for, and the participant is told.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from nsml_server.domain.names import is_visible, shown
from nsml_server.errors import Invalid, UnknownImage

PLATFORM, PYTHON, DOCKER, ALIAS, RUNTIME = "platform", "python", "docker", "alias", "runtime"
DEFAULT = "default"
IMAGE = "{image}"  # in a note: the word that was written
MAX_NAME = 255  # characters of a Docker reference
MAX_NOTE = 300  # characters
MAX_HOPS = 8  # aliases of aliases
NEAR = 3  # names suggested for one we do not know

_NAME = re.compile(r"[A-Za-z0-9*?][A-Za-z0-9._:/@+*?-]*", re.ASCII)
_REFERENCE = re.compile(r"[a-z0-9][A-Za-z0-9._:/@-]*", re.ASCII)
_RUNTIME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}", re.ASCII)


@dataclass(frozen=True)
class Entry:
    """One line of the table. `note` is shown to whoever names the image; `shipped`: no operator wrote it."""

    name: str
    target: str
    note: str = ""
    shipped: bool = False

    @property
    def is_pattern(self) -> bool:
        """Whether it stands for many names."""
        return "*" in self.name or "?" in self.name

    def matches(self, word: str) -> bool:
        """Whether the word is this name, or one of those that the pattern stands for."""
        return self.name == word or (self.is_pattern and fnmatch.fnmatchcase(word, self.name))


@dataclass(frozen=True)
class Meaning:
    """What a word means: the last target, never an alias, and what was noted on the way there."""

    image: str
    target: str
    notes: tuple[str, ...] = ()

    @property
    def interpreter(self) -> str | None:
        """The path of a Python; None for the platform's own."""
        return self.target.removeprefix(f"{PYTHON}:") if self.target.startswith(f"{PYTHON}:") else None

    @property
    def runtime(self) -> str | None:
        """The name of one of the platform's runtimes; None for the default one, and for what is none."""
        name = self.target.removeprefix(f"{RUNTIME}:")
        return name if name not in (self.target, DEFAULT) else None

    @property
    def reference(self) -> str | None:
        """The Docker reference, when it is one."""
        return self.target.removeprefix(f"{DOCKER}:") if self.target.startswith(f"{DOCKER}:") else None


_INSTEAD = "{} is this platform's default Python; an operator can map it to a genuine one"
# Which runtime is nearer to one that no machine has than the default. Not torch1.1 to torch1: it lacks what 1.2 to 1.12 brought.
NEAREST = {"tf1.5": "tf1", "tf1": "tf1.5", "torch1.1": "torch1"}
RUNTIMES = (DEFAULT, "tf1", "tf1.5", "keras2", "torch1", "torch1.1")

# The framework and version that the name of an image speaks of; the first that fits counts.
_SPOKEN_OF = tuple(
    (re.compile(pattern, re.IGNORECASE), runtime)
    for pattern, runtime in (
        (r"keras[:_-]?2", "keras2"),
        (r"torch[:_-]?(0\.|1\.[01](?!\d))", "torch1.1"),
        (r"torch[:_-]?1\.", "torch1"),
        (r"(tf|tensorflow)[:_-]?(0\.|1\.[0-5](?!\d))", "tf1.5"),
        (r"(tf|tensorflow)[:_-]?1\.", "tf1"),
    )
)


def _ships(runtime: str, *names: str) -> tuple[Entry, ...]:
    note = f"{IMAGE} is not here; {runtime} stands for it"
    return tuple(Entry(name, f"{ALIAS}:{runtime}", note, shipped=True) for name in names)


def _minors(stem: str, upto: int) -> tuple[str, ...]:
    """Patterns for the first minor versions and their tags: not those of 1.10 where 1.1 is meant."""
    return tuple(f"{stem}{minor}{tail}" for minor in range(upto + 1) for tail in ("", ".*", "-*"))


# The runtimes, and the images that code of 2018 to 2022 names.
SHIPPED: tuple[Entry, ...] = (
    *(Entry(name, f"{RUNTIME}:{name}", shipped=True) for name in RUNTIMES),
    *_ships(
        "tf1.5",
        *_minors("nsml/default_ml:tf-1.", 5),
        *_minors("nsml/tensorflow:1.", 5),
        *_minors("tensorflow/tensorflow:1.", 5),
        "tensorflow/tensorflow:0.*",
    ),
    *_ships(
        "tf1",
        "nsml/default_ml:tf-1*",
        "nsml/tensorflow:1.*",
        "tensorflow/tensorflow:1.*",
        "nvcr.io/nvidia/tensorflow:17.*",
        "nvcr.io/nvidia/tensorflow:18.*",
        "nvcr.io/nvidia/tensorflow:19.*",
        "nvcr.io/nvidia/tensorflow:*tf1*",
        "dacon/nia-tf:*",
    ),
    *_ships("keras2", "nsml/ml:*keras2*"),
    *_ships(
        "torch1.1",
        "nsml/default_ml:*torch0*",
        "nsml/default_ml:*torch1.0*",
        "nsml/default_ml:*torch1.1*",
        "nsml/pytorch:0.*",
        *_minors("nsml/pytorch:1.", 1),
        "floydhub/pytorch:0.*",
        *_minors("floydhub/pytorch:1.", 1),
        "nvcr.io/nvidia/pytorch:17.*",
        "nvcr.io/nvidia/pytorch:18.*",
        *(f"nvcr.io/nvidia/pytorch:19.0{month}*" for month in range(1, 7)),
        "pytorch/pytorch:0.*",
        *_minors("pytorch/pytorch:1.", 1),
    ),
    *_ships(
        "torch1",
        "nsml/default_ml:*torch*",
        "nsml/pytorch:*",
        "floydhub/pytorch:*",
        "nvcr.io/nvidia/pytorch:19.*",
        "nvcr.io/nvidia/pytorch:20.*",
        "nvcr.io/nvidia/pytorch:21.*",
        "nvcr.io/nvidia/pytorch:22.*",
        "pytorch/pytorch",
        "pytorch/pytorch:1.*",
        "claf/claf:*",
        "dacon/nia-pytorch:*",
        "w4jinsuk/pytorch-audio:*",
        "registry.navercorp.com/*pytorch1.*",
        "registry.navercorp.com/nsml/airush2020:*",
    ),
    *_ships(
        DEFAULT,
        "nsml/*",
        "becxer/nsml:*",
        "ldoun8260/nsml:*",
        "mj1642/nipa:*",
        "floydhub/*",
        "registry.navercorp.com/*",
        "nvcr.io/nvidia/pytorch:*",
        "nvcr.io/nvidia/tensorflow:*",
        "pytorch/pytorch:*",
        "tensorflow/tensorflow",
        "tensorflow/tensorflow:*",
        "python:3*",
    ),
)


def check_entry(name: str, target: str, note: str) -> Entry:
    """An entry an operator may add. Raises Invalid."""
    if len(name) > MAX_NAME or not _NAME.fullmatch(name):
        raise Invalid(f"{shown(name)} is not the name of an image.", hint="Write NAME:TAG, with * and ? as wildcards.")
    if len(note) > MAX_NOTE or not is_visible(note):
        raise Invalid(f"A note is one line of at most {MAX_NOTE} visible characters.", hint="Shorten it.")
    return Entry(name, check_target(target), note)


def check_target(target: str) -> str:
    """The target, when it is one of the five kinds. Raises Invalid."""
    kind, _, rest = target.partition(":")
    good = {
        PLATFORM: target == PLATFORM,
        RUNTIME: bool(_RUNTIME.fullmatch(rest)),
        PYTHON: rest.startswith("/") and len(rest) <= 4096 and is_visible(rest) and ".." not in rest.split("/"),
        DOCKER: len(rest) <= MAX_NAME and bool(_REFERENCE.fullmatch(rest)),
        ALIAS: len(rest) <= MAX_NAME and bool(_NAME.fullmatch(rest)) and "*" not in rest and "?" not in rest,
    }
    if not good.get(kind, False):
        raise Invalid(
            f"{shown(target)} is not a target of an image.",
            hint="Write runtime:NAME, python:/path/to/python, docker:REFERENCE, alias:NAME or platform.",
        )
    return target


def merge(own: Iterable[Entry]) -> tuple[Entry, ...]:
    """The whole table: an operator's entries, and the shipped ones they do not replace."""
    mine = tuple(own)
    names = {entry.name for entry in mine}
    return (*mine, *(entry for entry in SHIPPED if entry.name not in names))


def resolve(table: Sequence[Entry], image: str) -> Meaning:
    """What a word means.

    Raises:
        UnknownImage: nothing matches it, with the names that are near.
        Invalid: aliases go round in a circle.
    """
    notes: list[str] = []
    word = image
    for _ in range(MAX_HOPS):
        entry = find(table, word)
        if entry is None:
            raise _unknown(table, word)
        if entry.note:
            notes.append(entry.note.replace(IMAGE, shown(image)))
        if not entry.target.startswith(f"{ALIAS}:"):
            return Meaning(image, entry.target, tuple(notes))
        word = entry.target.removeprefix(f"{ALIAS}:")
    raise Invalid(f"The image {shown(image)} is an alias that never ends.", hint="Ask the operator to mend the table.")


def settle(table: Sequence[Entry], meaning: Meaning, offered: Set[str]) -> Meaning:
    """The same, or what stands in for it when no machine has the runtime. `offered`: the runtimes that machines have."""
    wanted = meaning.runtime
    if wanted is None or wanted in offered:
        return meaning
    if wanted in NEAREST:
        other = resolve(table, NEAREST[wanted])
        if other.runtime is None or other.runtime in offered:
            note = f"{wanted} is on no machine here; {NEAREST[wanted]} stands for it"
            return Meaning(meaning.image, other.target, (*meaning.notes, note, *other.notes))
    return Meaning(meaning.image, f"{RUNTIME}:{DEFAULT}", (*meaning.notes, _INSTEAD.format(wanted)))


def stand_in(table: Sequence[Entry], image: str, otherwise: str) -> Meaning:
    """What runs instead of an image that nobody knows: the runtime that its name speaks of, or `otherwise`; with a note."""
    word = next((runtime for pattern, runtime in _SPOKEN_OF if pattern.search(image)), otherwise)
    near = [name for name in _near(table, image) if name != word]
    note = f"{shown(image)} is no image that this platform knows; {word} stands for it"
    instead = resolve(table, word)
    return Meaning(image, instead.target, (note + (f". Near it are {', '.join(near)}" if near else ""), *instead.notes))


def find(table: Sequence[Entry], word: str) -> Entry | None:
    """The entry that counts for a word: see the order above."""
    matching = [entry for entry in table if entry.matches(word)]
    return min(matching, key=_rank, default=None)


def _rank(entry: Entry) -> tuple[bool, bool, int]:
    return (entry.is_pattern, entry.shipped, -len(entry.name))


def _near(table: Sequence[Entry], word: str) -> list[str]:
    """Names that are meant to be written: an operator's own, and the runtimes."""
    aliases = f"{ALIAS}:"
    names = [
        entry.name for entry in table if not (entry.is_pattern or (entry.shipped and entry.target.startswith(aliases)))
    ]
    return difflib.get_close_matches(word[:MAX_NAME], names, NEAR, cutoff=0.5)


def _unknown(table: Sequence[Entry], word: str) -> UnknownImage:
    near = _near(table, word) or list(RUNTIMES)
    return UnknownImage(
        f"There is no image {shown(word)} on this platform; near it are {', '.join(near)}.",
        hint="Name one of them in the `#nsml:` line of setup.py, or ask the operator to add it.",
        details={"image": word[:MAX_NAME], "near": near},
    )
