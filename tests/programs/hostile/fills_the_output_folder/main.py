"""Writes until there is no room."""

import os

with open(os.path.join(os.path.join(os.environ["NSML_HOME"], "out"), "garbage"), "wb", buffering=0) as garbage:
    block = os.urandom(4 << 20)
    while True:
        garbage.write(block)
