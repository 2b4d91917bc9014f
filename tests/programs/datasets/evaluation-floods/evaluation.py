"""Prints without an end."""

while True:
    print("x" * (1 << 20))
