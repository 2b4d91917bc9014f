"""The version all four programs share, read from the installed distribution: the worker does not import the others."""

from __future__ import annotations

from importlib.metadata import version

VERSION = version("nsmlctl")
