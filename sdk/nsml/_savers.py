"""How bound objects are saved when no save function was bound: `nsml.bind(model=model, vocabulary=vocabulary)`.

Each object has a file of its own, named after it. torch: the state dict; Keras: the weights; a TensorFlow session: its
variables; everything else is pickled and put back into the very object that was bound.
"""

import os
import pickle
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict


def write(path: str, objects: "Dict[str, Any]") -> None:
    """Write each object into the folder `path`. Raises what its framework or pickle raises."""
    for name, thing in objects.items():
        target = os.path.join(path, name)
        if _is_torch(thing):
            sys.modules["torch"].save(thing.state_dict(), target + ".pt")
        elif _is_keras(thing):
            thing.save_weights(target + ".weights.h5")
        elif _is_session(thing):
            _make_saver(thing).save(thing, target + ".ckpt")
        else:
            with open(target + ".pickle", "wb") as file:
                pickle.dump(thing, file, protocol=pickle.HIGHEST_PROTOCOL)


def read(path: str, objects: "Dict[str, Any]") -> None:
    """Load what `write` wrote into the bound objects, in place.

    Raises:
        TypeError: an object cannot be changed in place (a number, a text, a tuple).
    """
    for name, thing in objects.items():
        source = os.path.join(path, name)
        if _is_torch(thing):
            thing.load_state_dict(sys.modules["torch"].load(source + ".pt", map_location="cpu"))
        elif _is_keras(thing):
            thing.load_weights(source + ".weights.h5")
        elif _is_session(thing):
            _make_saver(thing).restore(thing, source + ".ckpt")
        else:
            with open(source + ".pickle", "rb") as file:
                _replace(name, thing, pickle.load(file))


def _is_torch(thing: "Any") -> bool:
    return "torch" in sys.modules and hasattr(thing, "state_dict") and hasattr(thing, "load_state_dict")


def _is_keras(thing: "Any") -> bool:
    has_weights = hasattr(thing, "save_weights") and hasattr(thing, "load_weights")
    return has_weights and ("keras" in sys.modules or "tensorflow" in sys.modules)


def _is_session(thing: "Any") -> bool:
    return "tensorflow" in sys.modules and hasattr(thing, "graph") and hasattr(thing, "run")


def _make_saver(session: "Any") -> "Any":
    tensorflow = sys.modules["tensorflow"]
    v1 = getattr(getattr(tensorflow, "compat", None), "v1", tensorflow)
    with session.graph.as_default():
        return v1.train.Saver()


def _replace(name: str, thing: "Any", loaded: "Any") -> None:
    if isinstance(thing, dict) or isinstance(thing, set):
        thing.clear()
        thing.update(loaded)
    elif isinstance(thing, (list, bytearray)) or hasattr(thing, "__array_interface__"):
        thing[:] = loaded
    elif hasattr(thing, "__dict__"):
        thing.__dict__.clear()
        thing.__dict__.update(loaded.__dict__)
    else:
        message = "nsml.load cannot put {!r} back: a {} cannot be changed in place; bind a save and a load function."
        raise TypeError(message.format(name, type(thing).__name__))
