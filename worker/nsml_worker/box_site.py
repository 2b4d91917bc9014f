"""Becomes ``sitecustomize`` in every box: makes ``import nsml`` mean the platform's SDK.

A folder or file called nsml beside the participant's program would otherwise come first. Python 3.6 syntax, standard library
only, and nothing that takes time: it runs at the start of every Python in the box.
"""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  pathlib takes time


class _SdkFirst:
    """Finds `nsml` in the folder of this file, and nothing else."""

    @staticmethod
    def find_spec(name, path=None, target=None):  # type: ignore[no-untyped-def]
        if name != "nsml":
            return None
        from importlib.machinery import PathFinder

        return PathFinder.find_spec(name, [_HERE])


sys.meta_path.insert(0, _SdkFirst)
if os.environ.get("NSML_TENSORFLOW") == "1":
    import importlib

    importlib.import_module("nsml_tensorflow").install()
