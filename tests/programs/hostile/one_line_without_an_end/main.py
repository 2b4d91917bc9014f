"""One line of hundreds of megabytes."""

import sys

for _ in range(400):
    sys.stdout.buffer.write(b"x" * (1 << 20))
print("the end")
