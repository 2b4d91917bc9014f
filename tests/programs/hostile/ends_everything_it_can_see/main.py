"""Signals for everybody: the init, the one who keeps its output, and all others of the box."""

import os
import signal
import time

print("begins", flush=True)
# The one who keeps its output dies with what it has not written yet.
while b"begins" not in open("/keep/log", "rb").read():
    time.sleep(0.01)
for process in filter(str.isdigit, os.listdir("/proc")):
    if int(process) != os.getpid():
        try:
            os.kill(int(process), signal.SIGKILL)
        except OSError:
            pass
os.kill(-1, signal.SIGKILL)
print("the end", flush=True)
