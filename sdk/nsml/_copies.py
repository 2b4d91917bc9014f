"""`nsml.copy` and `nsml.cache`, gone from NSML's stub in July 2019 and still called years later."""

import os

from nsml._callbacks import takes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List

# Beside the outputs when all are there: a run that ended half way has none, and its files are made anew.
_MARK = ".nsml-cache-{}"


def copy(source: "Any", target: "Any") -> None:
    """Put the values of `source` into `target`, in place: a dict's items, or an object's attributes.

    Raises:
        TypeError: they are of different types, or of one that has neither items nor attributes (a list).
    """
    if type(source) is not type(target):
        text = "nsml.copy copies between two objects of one type; it was given a {} and a {}."
        raise TypeError(text.format(type(source).__name__, type(target).__name__))
    if isinstance(source, dict):
        target.update(source)
    elif hasattr(source, "__dict__"):
        target.__dict__.update(source.__dict__)
    else:
        text = "nsml.copy cannot copy a {}; it copies dicts and the attributes of objects."
        raise TypeError(text.format(type(source).__name__))


def cache(
    function: "Callable[..., Any]", outputs: "List[str]", given: "Any", arguments: "Dict[str, Any]", session: str
) -> None:
    """Call `function` with `arguments` and, as output_path or as its first argument, `given`, unless a call in this very
    session made all of `outputs`.

    Files that came along with the code are made anew: a stale one has cost somebody all their rows. Raises what `function`
    raises.
    """
    mark = _locate_mark(outputs)
    if _read(mark) == session and all(os.path.exists(path) for path in outputs):
        return
    if takes(function, "output_path"):  # it stands last in train_data_loader(data_path, img_size, output_path)
        function(output_path=given, **arguments)
    else:
        function(given, **arguments)
    if all(os.path.exists(path) for path in outputs):
        with open(mark, "w", encoding="utf-8") as file:
            file.write(session)


def _read(path: str) -> "Any":
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, ValueError):
        return None


def _locate_mark(outputs: "List[str]") -> str:
    import hashlib

    digest = hashlib.sha256("\0".join(outputs).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return os.path.join(os.path.dirname(os.path.abspath(outputs[0])), _MARK.format(digest))
