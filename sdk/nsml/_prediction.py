"""The half of a submit that runs in the participant's program: checkpoint in, prediction file out, and the process ends.

Load → ask → write. The organiser's data_loader drives the bound `infer`; every failure becomes one ERROR line with its
phase, and says whether it came out of the organiser's file.
"""

import os
import sys

from nsml import _contract, _failures
from nsml._callbacks import call
from nsml.errors import EmptyPrediction, InvalidLine, InvalidResult, WrongLength

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, Dict, Iterator, List, Optional, TextIO, Tuple

    from nsml._session import Session

#: Rows of a list given to one call of infer, as NSML did from December 2018, unless the submit asked for another number.
CHUNK = 2500
_LOADER_MODULE = "data_loader"
_UNFINISHED = ".writing"


def predict_and_exit(session: "Session") -> None:
    """Run the whole of it and end the process: 0 after a whole prediction file, otherwise 1. Never returns."""
    prediction = Prediction(session)
    try:
        prediction.run()
    except BaseException as error:  # SystemExit too: a program that leaves in the middle has failed
        session.journal.write(_contract.ERROR, prediction.describe(error), must_arrive=True)
        sys.__excepthook__(type(error), error, error.__traceback__)
        leave(1)
    session.journal.write(_contract.DONE, {}, must_arrive=True)
    leave(0)


class Prediction:
    """One walk from the checkpoint to the prediction file."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._phase = _contract.PHASE_LOAD
        self._in_loader = False
        self._infer_calls = 0
        self._infer_error: "Optional[BaseException]" = None

    def run(self) -> None:
        """Load, ask, write. Raises whatever went wrong; `describe` then tells where."""
        self._session.journal.write(_contract.PAUSED, {})
        print("Paused.", flush=True)
        self._enter(_contract.PHASE_LOAD)
        self._session.load(None, None, None, dict(self._session.binding.objects))
        self._enter(_contract.PHASE_INFER)
        folder = os.path.join(self._session.home, _contract.OUT, _UNFINISHED)
        os.makedirs(folder)
        output = os.path.join(folder, _contract.PREDICTION)
        self._fill(output)
        self._enter(_contract.PHASE_WRITE)
        os.replace(_find_output(folder), os.path.join(self._session.home, _contract.OUT, _contract.PREDICTION))
        os.rmdir(folder)

    def describe(self, error: BaseException) -> "Dict[str, Any]":
        """The fields of the ERROR line. `organiser`: the error came out of data_loader.py and not out of infer."""
        is_organisers = self._in_loader and error is not self._infer_error
        if is_organisers and self._infer_calls:
            self._phase = _contract.PHASE_WRITE
        fields = _failures.describe(error, self._phase)
        fields["organiser"] = is_organisers
        fields["infer_calls"] = self._infer_calls
        return fields

    def _enter(self, phase: str) -> None:
        self._phase = phase
        self._session.journal.write(_contract.PHASE, {"phase": phase})

    def _fill(self, output: str) -> None:
        self._session.binding.predictor()  # asked for before the organiser's file is touched
        self._in_loader = True
        loader = import_loader(os.path.join(self._session.home, _contract.LOADER, _LOADER_MODULE + ".py"))
        if hasattr(loader, "feed_infer"):
            loader.feed_infer(output, self._ask)
            self._in_loader = False
            return
        rows = loader.test_data_loader(self._session.dataset_path)
        self._in_loader = False
        with open(output, "w", encoding="utf-8") as file:
            self._answer(rows, file)

    def _ask(self, *arguments: "Any", **keywords: "Any") -> "Any":
        self._infer_calls += 1
        try:
            return call(self._session.binding.predictor(), arguments, keywords)
        except BaseException as error:
            self._infer_error = error
            raise

    def _answer(self, rows: "Any", file: "TextIO") -> None:
        done = 0
        for arguments, expected in split_rows(rows):
            results = check_results(self._ask(*arguments), expected)
            for number, result in enumerate(results, done + 1):
                line = str(result)
                if "\n" in line or "\r" in line:
                    self._phase = _contract.PHASE_WRITE
                    raise InvalidLine(
                        "Result {} holds a line break; the prediction file has one line a row.".format(number)
                    )
                file.write(line + "\n")
            done += len(results)


def split_rows(rows: "Any") -> "Iterator[Tuple[Tuple[Any, ...], Optional[int]]]":
    """The arguments of each call of infer, and how many results it owes where that is known.

    A list goes in chunks, a tuple (queries, references) as several arguments, anything else in one call as it is.
    """
    if isinstance(rows, tuple):
        yield rows, None
    elif isinstance(rows, list):
        size = int(os.getenv(_contract.ENV_BATCH, "0")) or CHUNK
        for start in range(0, len(rows), size):
            chunk = rows[start : start + size]
            yield (chunk,), len(chunk)
    else:
        yield (rows,), None


def check_results(returned: "Any", expected: "Optional[int]") -> "List[Any]":
    """The results of [(probability, result), …].

    Raises:
        InvalidResult: it is something else.
        WrongLength: there are more or fewer than `expected`.
    """
    kind = type(returned).__name__
    if isinstance(returned, (str, bytes, dict)) or not hasattr(returned, "__iter__"):
        text = "infer returned a {}; it must return a list of (probability, result) pairs, one for each row."
        raise InvalidResult(text.format(kind))
    results = []
    for number, pair in enumerate(returned, 1):
        if isinstance(pair, (str, bytes, dict)) or not hasattr(pair, "__len__") or len(pair) != 2:
            text = "Result {} of infer is a {}; each must be a (probability, result) pair."
            raise InvalidResult(text.format(number, type(pair).__name__))
        results.append(pair[1])
    if expected is not None and len(results) != expected:
        raise WrongLength(expected, len(results))
    return results


def import_loader(path: str) -> "ModuleType":
    """The organiser's module, from this very file: a data_loader.py of the program's own is never taken for it.

    Nor the other way round: where the program has a module of that name, the organiser's goes by another.
    """
    import importlib.util

    is_taken = _LOADER_MODULE in sys.modules or importlib.util.find_spec(_LOADER_MODULE) is not None
    name = "organiser_" + _LOADER_MODULE if is_taken else _LOADER_MODULE
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("{} cannot be imported.".format(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _find_output(folder: str) -> str:
    """The file that was written: the one asked for, or the only other one (numpy.save adds a `.npy`)."""
    files = os.listdir(folder)
    if _contract.PREDICTION not in files and len(files) != 1:
        raise EmptyPrediction("The prediction file was not written.")
    path = os.path.join(folder, _contract.PREDICTION if _contract.PREDICTION in files else files[0])
    if os.path.getsize(path) == 0:
        raise EmptyPrediction("The prediction file is empty.")
    return path


def leave(code: int) -> None:
    """End the process at once, whatever the program would catch or clean up."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass  # closed by the program, or nobody reads it
    os._exit(code)
