"""The child takes the memory and is killed; the parent would end well and not notice."""

import os

if os.fork() == 0:
    hoard = []
    while True:
        hoard.append(bytearray(b"x" * (16 << 20)))
os.wait()
print("the parent ends")
