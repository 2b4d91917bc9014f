"""The version all four programs share, read from the installed distribution: the server does not import the SDK."""

from __future__ import annotations

from importlib.metadata import version

DISTRIBUTION = "nsmlctl"
VERSION = version(DISTRIBUTION)
