"""Prints what is no score."""

print(float("nan"))
