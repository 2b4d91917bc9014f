"""Writes to the journal past the SDK, garbage without an end."""

import os

with open(os.path.join(os.environ["NSML_HOME"], "journal"), "ab", buffering=0) as journal:
    while True:
        journal.write(b"x" * (4 << 20))
