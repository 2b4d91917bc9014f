"""Forgets to print."""

score = 1.0
