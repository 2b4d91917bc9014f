"""Prints two numbers where one is asked for."""

print(0.5, 0.25)
