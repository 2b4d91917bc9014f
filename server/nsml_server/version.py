"""The version all four programs share, read from the installed distribution: the server does not import the SDK."""

from __future__ import annotations

from importlib.metadata import version

DISTRIBUTION = "nsmlctl"
VERSION = version(DISTRIBUTION)
# The hint where a worker's words make no sense here.
SAME_VERSION = f"This server is {VERSION}: give worker and server the same version."
