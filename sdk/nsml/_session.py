"""The session a program runs in: what the environment says of it, and the verbs of `nsml` as they act on the platform."""

import os

from nsml import _checkpoints, _contract, _failures
from nsml._callbacks import Binding, call
from nsml._journal import Journal
from nsml._reports import Reports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Mapping, Optional

    from nsml._callbacks import Callback


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

    @property
    def is_on_platform(self) -> bool:
        """Whether there is a platform around this process."""
        return bool(self.home)

    def tell_bound(self) -> None:
        """Write which callbacks there are now."""
        binding = self.binding
        has_objects = bool(binding.objects)
        fields = {
            "save": has_objects or binding.save is not None,
            "load": has_objects or binding.load is not None,
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
        """Load a checkpoint of this session, or the one this run was given. None means the given or the newest one.

        Raises:
            KeyError: there is none of this name.
        """
        name = None if checkpoint is None else str(checkpoint)
        folder = self._find(name) if session in (None, "", self.name) else None
        if folder is None:
            raise KeyError("No model: {}/nsml_model/{}".format(session or self.name, name))
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

    def pause(self) -> None:
        """Act by the mode: submit predicts and never returns, fork loads and returns, train returns at once."""
        if self.mode == _contract.MODE_SUBMIT:
            from nsml import _prediction

            _prediction.predict_and_exit(self)
        elif self.mode == _contract.MODE_FORK:
            print("Paused.", flush=True)
            self.load(None, None, None, {})

    def _find(self, name: "Optional[str]") -> "Optional[str]":
        given = os.path.join(self.home, _contract.CHECKPOINT)
        is_given = name in (None, self._given) and os.path.isdir(given)
        if name is None and is_given:
            return given  # a program may save before it calls paused; what is asked of this run is the given one
        own = _checkpoints.find(os.path.join(self.home, _contract.CHECKPOINTS), name)
        return own or (given if is_given else None)
