"""Hears no signal that can be ignored."""

import signal
import time

for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
print("deaf")
while True:
    time.sleep(60)
