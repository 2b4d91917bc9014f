"""An error as the journal tells it, reduced to what may be shown.

The participant writes the journal, and from a box that holds the hidden test inputs. So where `hidden` is set, nothing is
shown that could carry a row of them: not the message, no type name but well-known ones and those spelt in the uploaded
code, no line but one of an uploaded file, no file name but one written in that code.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from nsml_server.domain import journal
from nsml_server.domain.names import is_visible

# Returns the text of an uploaded file by its path in the folder, or None when there is none.
Code = Callable[[str], str | None]

_MOST_GUESSES = 4  # folders called "app" above the uploaded one that are looked at
MAX_SHOWN_LINE = 160  # characters of the program's own line
# The SDK hands `infer` at most 2,500 rows at a time; larger numbers are not the SDK's.
_MOST_ROWS = 2500
_MOST_RESULTS = 10_000

_BUILTIN = frozenset(
    name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)
)
# Error types of libraries that programs use. Names, not modules: a forged module name would let any type name pass.
_LIBRARY = frozenset(
    {
        *("PicklingError", "UnpicklingError", "JSONDecodeError", "BadZipFile", "Empty", "Full", "TimeoutExpired"),
        *("AxisError", "ComplexWarning", "LinAlgError", "UFuncTypeError", "_ArrayMemoryError", "_UFuncNoLoopError"),
        *("NotFittedError", "ConvergenceWarning", "DataConversionWarning", "InvalidParameterError"),
        *("ParserError", "EmptyDataError", "MergeError", "InvalidIndexError", "OutOfBoundsDatetime"),
        *(
            "OutOfMemoryError",
            "AcceleratorError",
            "DistBackendError",
            "SafetensorError",
            "LightGBMError",
            "XGBoostError",
        ),
        *("InvalidArgumentError", "NotFoundError", "ResourceExhaustedError", "FailedPreconditionError", "AbortedError"),
        *(
            "UnimplementedError",
            "InternalError",
            "OutOfRangeError",
            "DataLossError",
            "UnknownError",
            "OperatorNotAllowed",
        ),
        *("UnidentifiedImageError", "DecompressionBombError", "HDF5ExtError", "CatBoostError", "LoadError"),
    }
)
_SDK = frozenset({"NotBound", "InvalidName", "InvalidResult", "WrongLength", "InvalidLine", "EmptyPrediction"})
_IDENTIFIER = re.compile(r"[^\W\d]\w{0,99}")
_QUOTED = re.compile(r"['\"]([^'\"\n]{1,300})['\"]")


@dataclass(frozen=True)
class Spot:
    """A line of an uploaded file."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Fault:
    """What may be told of an error. Empty and None: not known, or not to be shown."""

    phase: str
    type: str = ""
    message: str = ""
    spot: Spot | None = None
    missing: str | None = None  # the name of a file that was not found, without its folder
    organiser: bool = False
    expected: int | None = None
    got: int | None = None

    @property
    def is_of_sdk(self) -> bool:
        """Whether the SDK itself refused what the program did."""
        return self.type in _SDK


def read_fault(error: dict[str, Any] | None, code: Code, *, hidden: bool) -> Fault | None:
    """What may be told of an ERROR line; None when there is none or it is no such line."""
    line = journal.parse_object(error)
    if line is None or line["k"] != journal.ERROR:
        return None
    sources = dict(_sources(line, code))
    return Fault(
        phase=line["phase"],
        type=_type_name(line, sources.values(), hidden),
        message="" if hidden else line["message"],
        spot=_innermost(line["frames"], sources),
        missing=_missing_file(line, sources.values(), hidden),
        organiser=line["organiser"],
        expected=_at_most(line["expected"], _MOST_ROWS),
        got=_at_most(line["got"], _MOST_RESULTS),
    )


def _sources(line: journal.Line, code: Code) -> Iterator[tuple[str, str]]:
    """Uploaded files that the error passed through or whose class it is: (path in the folder, text)."""
    module = line["module"].replace(".", "/")
    for path in {path for frame in line["frames"] for path in _uploaded_names(frame[0])} | {f"{module}.py"}:
        text = code(path)
        if text is not None:
            yield path, text


def _uploaded_names(path: str) -> list[str]:
    """What a path of the box may be in the uploaded folder: all that follows an "app" in it, the longest first."""
    parts = path.split("/")
    starts = [index + 1 for index, part in enumerate(parts[:-1]) if part == "app"]
    return ["/".join(parts[start:]) for start in starts[:_MOST_GUESSES]]


def _innermost(frames: list[list[Any]], sources: dict[str, str]) -> Spot | None:
    # Not splitlines: Python counts lines by line feeds, and a form feed inside a line is no end of it.
    texts = {name: source.split("\n") for name, source in sources.items()}
    for path, number, _ in reversed(frames):
        for name in _uploaded_names(path):
            lines = texts.get(name, [])
            if 1 <= number <= len(lines):
                return Spot(name, number, _shown_line(lines[number - 1]))
    return None


def _shown_line(line: str) -> str:
    text = "".join(c if is_visible(c) else " " for c in line).strip()
    return text if len(text) <= MAX_SHOWN_LINE else text[:MAX_SHOWN_LINE] + "…"


def _type_name(line: journal.Line, sources: Iterable[str], hidden: bool) -> str:
    name: str = line["type"]
    if not _IDENTIFIER.fullmatch(name):
        return ""
    if not hidden or name in _BUILTIN or name in _LIBRARY or (name in _SDK and line["module"] == "nsml.errors"):
        return name
    spelt = re.compile(rf"\b{re.escape(name)}\b")
    return name if any(spelt.search(source) for source in sources) else ""


def _missing_file(line: journal.Line, sources: Iterable[str], hidden: bool) -> str | None:
    if line["type"] != "FileNotFoundError":
        return None
    quoted = _QUOTED.search(line["message"])
    name = quoted.group(1).rstrip("/").rsplit("/", 1)[-1] if quoted else ""
    if not name or (hidden and not any(_is_literal(name, source) for source in sources)):
        return None
    return name


def _is_literal(name: str, source: str) -> bool:
    """Whether the code spells the name as the end of a string, so that showing it tells nothing new."""
    return re.search(rf"""['"/]{re.escape(name)}['"]""", source) is not None


def _at_most(number: int | None, most: int) -> int | None:
    return number if number is not None and number <= most else None
