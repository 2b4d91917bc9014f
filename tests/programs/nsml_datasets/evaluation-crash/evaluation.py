"""Crashes."""

raise KeyError("labels")
