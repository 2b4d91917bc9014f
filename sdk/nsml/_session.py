"""The session a program runs in: what the environment says of it, and the verbs of `nsml` as they act on the platform."""

import os

from nsml import _checkpoints, _contract, _failures
from nsml._callbacks import Binding, call
from nsml._journal import Journal
from nsml._reports import Reports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Mapping, Optional, Tuple

    from nsml._callbacks import Callback
    from nsml._console import Console

#: Seconds a checkpoint of another session may take to arrive.
_FETCH_SECONDS = 1800
_ABSENCE_SECONDS = 600  # a worker that is updated and started anew is back by then


class Session:
    """One process of a session. Shares nothing with others but the folder HOME, so that any of them may save and report."""

    def __init__(self, environment: "Mapping[str, str]") -> None:
        self.home = environment.get(_contract.ENV_HOME, "")
        self.mode = environment.get(_contract.ENV_MODE, _contract.MODE_TRAIN)
        self.name = environment.get(_contract.ENV_SESSION_NAME, "")
        self.dataset_path = environment.get(_contract.ENV_DATASET_PATH, "")
        self.journal = Journal(os.path.join(self.home, _contract.JOURNAL))
        self.reports = Reports(self.journal)
        self.binding = Binding()
        self._given = environment.get(_contract.ENV_CHECKPOINT, "")
        self._console: "Optional[Console]" = None

    @property
    def is_on_platform(self) -> bool:
        """Whether there is a platform around this process."""
        return bool(self.home)

    def tell_bound(self) -> None:
        """Write which callbacks there are now."""
        binding = self.binding
        has_defaults = binding.has_defaults()
        fields = {
            "save": has_defaults or binding.save is not None,
            "load": has_defaults or binding.load is not None,
            "infer": binding.infer is not None,
        }
        self.journal.write(_contract.BOUND, fields)

    def save(self, checkpoint: "Any", save_fn: "Optional[Callback]", keywords: "Dict[str, Any]") -> None:
        """Write and seal a checkpoint, then tell the worker.

        Raises:
            InvalidName, NotBound, or whatever the callback raised.
        """
        name = _checkpoints.check_name(checkpoint)
        callback = self.binding.saver(save_fn)
        root = os.path.join(self.home, _contract.CHECKPOINTS)
        try:
            sealed = _checkpoints.write(root, name, lambda path: call(callback, (path,), keywords))
        except Exception as error:
            _failures.mark(error, _contract.PHASE_SAVE)
            raise
        files, size = _checkpoints.measure(os.path.join(root, sealed))
        if not files:
            text = "the save callback wrote no file, so the checkpoint {!r} is empty; write to the path it is given."
            self.journal.note_once("empty checkpoint", text.format(name))
        summary = self.reports.latest()
        fields = {"name": name, "dir": sealed, "files": files, "bytes": size, "summary": summary}
        self.journal.write(_contract.SAVE, fields, must_arrive=True)

    def load(
        self, checkpoint: "Any", load_fn: "Optional[Callback]", session: "Optional[str]", keywords: "Dict[str, Any]"
    ) -> None:
        """Load a checkpoint of this session, the one this run was given, or one of another session. None means the given
        or the newest one.

        Raises:
            KeyError: there is none of this name, or the other session is not to be read.
        """
        name = None if checkpoint is None else str(checkpoint)
        other = (session or "").strip()  # a blank typed by mistake was a lookup that failed
        is_own = other in ("", self.name)
        folder = (self._find(name) if is_own else None) or self._fetch(name, None if is_own else other)
        if folder is None:
            raise KeyError("No model: {}/nsml_model/{}".format(other or self.name, name))
        callback = self.binding.loader(load_fn)
        if callback is None:
            self.journal.note_once(
                "no load", "nothing is bound that loads a model; call nsml.bind(load=your_function)."
            )
            return
        loader = callback
        try:
            _checkpoints.read(folder, lambda path: call(loader, (path,), keywords))
        except Exception as error:
            _failures.mark(error, _contract.PHASE_LOAD)
            raise

    def infer(self, arguments: "Tuple[Any, ...]", keywords: "Dict[str, Any]") -> "Any":
        """Ask the bound infer.

        Raises:
            NotBound, or whatever the callback raised.
        """
        return call(self.binding.predictor(), arguments, keywords)

    def pause(self, scope: "Any") -> None:
        """Act by the mode: submit predicts and serve answers, and neither returns; fork loads and train does nothing, and
        both return. A `scope` is opened to the console.
        """
        if self.mode == _contract.MODE_SUBMIT:
            from nsml import _prediction

            _prediction.predict_and_exit(self)
        elif self.mode == _contract.MODE_SERVE:
            from nsml import _serving

            self.console().scope.set(scope)
            _serving.load_and_serve(self)
        elif self.mode == _contract.MODE_FORK:
            print("Paused.", flush=True)
            self.load(None, None, None, dict(self.binding.objects))
        self.open(scope)

    def open(self, scope: "Any") -> None:
        """Let a person at the console see these variables. Never in a submit, where hidden data could be among them."""
        if scope is None or self.mode == _contract.MODE_SUBMIT:
            return
        console = self.console()
        console.scope.set(scope)
        if self.mode != _contract.MODE_SERVE:  # there paused answers, in the main thread
            console.start()

    def console(self) -> "Console":
        """The one console of this process, not yet answering."""
        if self._console is None:
            from nsml._console import Console

            self._console = Console(self)
        return self._console

    def _fetch(self, name: "Optional[str]", session: "Optional[str]") -> "Optional[str]":
        """The folder of a checkpoint that the worker laid out on request; None where it has none for us."""
        if name is None or not os.path.exists(os.path.join(self.home, _contract.QUESTIONS)):
            return None
        from nsml import _lines

        question = {_contract.ASK: _contract.ASK_CHECKPOINT, "session": session, "name": name}
        answer = _lines.ask(
            self.home, _contract.QUESTIONS, question, _contract.MAX_ANSWER, _FETCH_SECONDS, _ABSENCE_SECONDS
        )
        path = (answer or {}).get("path")
        return path if isinstance(path, str) and os.path.isdir(path) else None

    def _find(self, name: "Optional[str]") -> "Optional[str]":
        given = os.path.join(self.home, _contract.CHECKPOINT)
        is_given = name in (None, self._given) and os.path.isdir(given)
        if name is None and is_given:
            return given  # a program may save before it calls paused; what is asked of this run is the given one
        own = _checkpoints.find(os.path.join(self.home, _contract.CHECKPOINTS), name)
        return own or (given if is_given else None)
