"""Ours against a floor or a peer, measured in the same run on the same machine: `python -m benchmarks [MODULE …]`."""
