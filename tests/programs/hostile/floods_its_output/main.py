"""A great deal of output, in lines."""

import sys

line = b"x" * 1023 + b"\n"
for _ in range(400 << 10):
    sys.stdout.buffer.write(line)
print("the end")
