"""The same through a mapping: the kernel answers with SIGBUS instead of an error."""

import mmap
import os

fd = os.open("/dev/shm/batch", os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, 256 << 20)
view = mmap.mmap(fd, 256 << 20)
for position in range(0, 256 << 20, 4096):
    view[position] = 1
