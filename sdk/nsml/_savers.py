"""How bound objects are saved when no save function was bound: `nsml.bind(model=model, vocabulary=vocabulary)`.

Each object has a file of its own, named after it. torch: the state dict; Keras: the weights; a session of TensorFlow 1: its
variables; what TensorFlow 2 tracks: its checkpoint; everything else, scikit-learn's models among it, is pickled and put
back into the very object that was bound.
"""

import os
import pickle
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Tuple

    Verb = Callable[[str, Any], None]

_SAVER = "_nsml_saver"


def write(path: str, objects: "Dict[str, Any]") -> None:
    """Write each object into the folder `path`. Raises what its framework or pickle raises."""
    for name, thing in objects.items():
        _choose(name, thing)[0](os.path.join(path, name), thing)


def read(path: str, objects: "Dict[str, Any]") -> None:
    """Load what `write` wrote into the bound objects, in place.

    Raises:
        TypeError: an object cannot be changed in place (a number, a text, a tuple).
    """
    for name, thing in objects.items():
        _choose(name, thing)[1](os.path.join(path, name), thing)


def _choose(name: str, thing: "Any") -> "Tuple[Verb, Verb]":
    if "torch" in sys.modules and hasattr(thing, "state_dict") and hasattr(thing, "load_state_dict"):
        return _write_torch, _read_torch
    if "keras" in sys.modules or "tensorflow" in sys.modules:
        if hasattr(thing, "save_weights") and hasattr(thing, "load_weights"):
            return _write_keras, _read_keras
        if hasattr(thing, "graph") and hasattr(thing, "run"):
            return _write_session, _read_session
        if hasattr(thing, "saver_def") and hasattr(thing, "restore"):
            return _pass_over, _pass_over  # a tf.train.Saver has no state of its own
        if hasattr(thing, "_trackable_children") or hasattr(thing, "_gather_saveables_for_checkpoint"):
            return _write_tracked, _read_tracked
    return _write_pickle, _read_pickle


def _write_torch(target: str, thing: "Any") -> None:
    sys.modules["torch"].save(thing.state_dict(), target + ".pt")


def _read_torch(source: str, thing: "Any") -> None:
    torch: "Any" = sys.modules["torch"]
    try:  # a scheduler's state may hold functions; the file is the participant's own
        state = torch.load(source + ".pt", map_location="cpu", weights_only=False)
    except TypeError:  # torch before 1.13
        state = torch.load(source + ".pt", map_location="cpu")
    thing.load_state_dict(state)


def _write_keras(target: str, thing: "Any") -> None:
    try:
        thing.save_weights(target + ".weights.h5")
    except (ImportError, NotImplementedError):  # no h5py, or a subclassed model of early TensorFlow
        _dump(target, thing.get_weights())


def _read_keras(source: str, thing: "Any") -> None:
    if os.path.exists(source + ".pickle"):
        with open(source + ".pickle", "rb") as file:
            thing.set_weights(pickle.load(file))
    else:
        thing.load_weights(source + ".weights.h5")


def _write_session(target: str, session: "Any") -> None:
    _make_saver(session).save(session, target + ".ckpt", write_meta_graph=False)


def _read_session(source: str, session: "Any") -> None:
    _make_saver(session).restore(session, source + ".ckpt")


def _make_saver(session: "Any") -> "Any":
    # One for each session: every new Saver adds its nodes to the graph.
    saver = getattr(session, _SAVER, None)
    if saver is None:
        tensorflow: "Any" = sys.modules["tensorflow"]
        v1 = getattr(getattr(tensorflow, "compat", None), "v1", tensorflow)
        with session.graph.as_default():
            saver = v1.train.Saver(max_to_keep=None)
        setattr(session, _SAVER, saver)
    return saver


def _write_tracked(target: str, thing: "Any") -> None:
    _track(thing).write(target + ".tf")


def _read_tracked(source: str, thing: "Any") -> None:
    _track(thing).read(source + ".tf")


def _track(thing: "Any") -> "Any":
    checkpoint: "Any" = sys.modules["tensorflow"].train.Checkpoint
    return thing if isinstance(thing, checkpoint) else checkpoint(thing=thing)


def _pass_over(path: str, thing: "Any") -> None:
    """Write nothing, read nothing."""


def _write_pickle(target: str, thing: "Any") -> None:
    _dump(target, thing)


def _dump(target: str, thing: "Any") -> None:
    with open(target + ".pickle", "wb") as file:
        pickle.dump(thing, file, protocol=pickle.HIGHEST_PROTOCOL)


def _read_pickle(source: str, thing: "Any") -> None:
    with open(source + ".pickle", "rb") as file:
        _replace(os.path.basename(source), thing, pickle.load(file))


def _replace(name: str, thing: "Any", loaded: "Any") -> None:
    if hasattr(thing, "clear") and hasattr(thing, "update"):  # dict, set, Counter, OrderedDict
        thing.clear()
        thing.update(loaded)
    elif isinstance(thing, (list, bytearray)) or hasattr(thing, "__array_interface__"):
        thing[:] = loaded
    elif hasattr(thing, "copy_") and hasattr(thing, "data"):  # a bare tensor
        thing.data.copy_(loaded)
    elif hasattr(thing, "__dict__"):
        _restore_state(thing, loaded)
    else:
        message = "nsml.load cannot put {!r} back: a {} cannot be changed in place; bind a save and a load function."
        raise TypeError(message.format(name, type(thing).__name__))


def _restore_state(thing: "Any", loaded: "Any") -> None:
    reduced = loaded.__reduce_ex__(2)
    thing.__dict__.clear()
    if hasattr(thing, "__setstate__") and len(reduced) > 2:  # boosters keep a handle that two must not share
        thing.__setstate__(reduced[2])
    else:
        thing.__dict__.update(loaded.__dict__)
