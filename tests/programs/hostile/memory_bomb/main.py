"""Takes memory and touches every page of it."""

hoard = []
while True:
    hoard.append(bytearray(b"x" * (16 << 20)))
