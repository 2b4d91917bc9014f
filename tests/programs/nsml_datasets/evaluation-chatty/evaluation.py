"""Prints much, and the score on its last line."""

import sys

print("reading the labels")
print("warning: slow", file=sys.stderr)
print("accuracy by class: 0.5 0.25")
print()
print(0.75)
print()
