"""Makes TensorFlow 2 look like TensorFlow 1 to a program that is not to be changed; in boxes of the runtime tf1-on-2 only.

``import tensorflow`` gives ``tensorflow.compat.v1`` with the behaviour of version 2 switched off, and numpy gets back the
names it has dropped since. What TensorFlow 2 has no more, it cannot give: ``tf.contrib`` is gone; ``tf.layers`` and the old
Keras need the package ``tf-keras`` beside it. Nothing is imported before the program does so.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

# What old code calls numpy's types and values, and what they are.
_BUILTINS = {"bool": bool, "int": int, "float": float, "complex": complex, "object": object, "str": str, "long": int}
_RENAMED = {
    "float_": "float64",
    "complex_": "complex128",
    "unicode_": "str_",
    "string_": "bytes_",
    "unicode": "str_",
    "NaN": "nan",
    "Inf": "inf",
    "infty": "inf",
    "PINF": "inf",
    "product": "prod",
    "cumproduct": "cumprod",
    "alltrue": "all",
    "sometrue": "any",
    "in1d": "isin",
}


def mend_numpy(numpy: ModuleType) -> None:
    """Put back the names that are missing; those that are there stay as they are."""
    for name, value in _BUILTINS.items():
        if name not in vars(numpy):
            setattr(numpy, name, value)
    for name, now in _RENAMED.items():
        if name not in vars(numpy) and hasattr(numpy, now):
            setattr(numpy, name, getattr(numpy, now))


def turn_back_tensorflow(tensorflow: ModuleType) -> None:
    """From now on ``import tensorflow`` means its v1 mode."""
    v1 = importlib.import_module("tensorflow.compat.v1")
    v1.disable_v2_behavior()
    # Modules are looked up in the v1 mode first, and then where TensorFlow itself keeps them.
    v1.__path__ = list(v1.__path__) + [path for path in tensorflow.__path__ if path not in v1.__path__]
    sys.modules["tensorflow"] = v1


class _Mending:
    """A loader that does what another does, and then mends the module."""

    def __init__(self, loader: Any, mend: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._mend = mend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._mend(module)


MENDING: dict[str, Callable[[ModuleType], None]] = {"numpy": mend_numpy, "tensorflow": turn_back_tensorflow}


class _Finder:
    """Finds the modules that are mended where they would be found without it."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """See importlib.abc.MetaPathFinder."""
        if name not in MENDING:
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            spec.loader = _Mending(spec.loader, MENDING[name])  # type: ignore[assignment]
        return spec


def install() -> None:
    """For this process; those it starts inherit the variable that brought it here."""
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # where tf-keras is, tf.layers and tf.keras are the old ones
    sys.meta_path.insert(0, _Finder)
