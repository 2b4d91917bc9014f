"""Attaches to the init and leaves it stopped, so that nobody would notice the end."""

import ctypes
import time

libc = ctypes.CDLL(None, use_errno=True)
print("attached" if libc.ptrace(16, 1, 0, 0) == 0 else "refused")
time.sleep(0.2)
print("the end")
