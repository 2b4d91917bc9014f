"""Boxes in containers of a Docker engine; nothing outside this package knows the engine's SDK."""
