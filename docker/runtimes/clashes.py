"""Fails when two installed packages brought the same shared library: pip lets the later one win, and the other's code then loads
a library it was not built for. So it is with PyTorch and TensorFlow where each brings another CUDA.
"""

import collections
import importlib.metadata
import sys

owners = collections.defaultdict(set)
for package in importlib.metadata.distributions():
    for path in package.files or ():
        if ".so" in path.suffixes:
            owners[str(path)].add(f"{package.name} {package.version}")
clashes = {path: names for path, names in owners.items() if len(names) > 1}
for path, names in sorted(clashes.items()):
    print(f"{path} is of {' and of '.join(sorted(names))}", file=sys.stderr)
sys.exit(bool(clashes))
