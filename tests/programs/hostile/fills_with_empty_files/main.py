"""No byte, and a million names."""

import os

for number in range(10000000):
    if number % 10000 == 0:
        os.mkdir("f%d" % (number // 10000))
    open("f%d/%d" % (number // 10000, number), "w").close()
