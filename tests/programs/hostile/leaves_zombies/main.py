"""Children that nobody waits for."""

import os
import time

for _ in range(100):
    if os.fork() == 0:
        os._exit(0)
time.sleep(0.2)
print("the end")
