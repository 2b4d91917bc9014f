"""Children that sleep, so that no processor is busy, and a parent that gives up when it gets no more."""

import os
import sys
import time

children = 0
while True:
    try:
        if os.fork() == 0:
            time.sleep(600)
    except OSError:
        sys.exit("no more processes after %d" % children)
    children += 1
