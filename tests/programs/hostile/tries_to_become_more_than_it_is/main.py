"""What a container is left by: capabilities, setuid, mounts, namespaces, cgroups."""

import ctypes
import os
import stat
import subprocess

found = []


libc = ctypes.CDLL(None, use_errno=True)
status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
for name in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"):
    if int(status[name], 16):
        found.append(name + status[name])
if status["NoNewPrivs"] != "1" or status["Seccomp"] != "2" or os.getuid() == 0:
    found.append((status["NoNewPrivs"], status["Seccomp"], os.getuid()))
for what, call in {
    "mount": lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None),
    "unshare user": lambda: libc.unshare(0x10000000),
    "unshare mount": lambda: libc.unshare(0x00020000),
    "chroot": lambda: libc.chroot(b"/tmp"),
    "setuid": lambda: libc.setuid(0),
    "reboot": lambda: libc.reboot(0),
    "swapon": lambda: libc.swapon(b"/tmp/x", 0),
    "bpf": lambda: libc.syscall(321, 0, 0, 0),
    "init_module": lambda: libc.syscall(175, 0, 0, 0),
}.items():
    if call() == 0:
        found.append(what)
try:
    os.mknod("/tmp/disk", 0o600 | stat.S_IFBLK, os.makedev(7, 0))
    found.append("mknod")
except OSError:
    pass
for folder, _, names in os.walk("/sys/fs/cgroup"):
    for name in names:
        if name in ("memory.limit_in_bytes", "memory.max", "release_agent", "cgroup.procs", "devices.allow"):
            try:
                with open(os.path.join(folder, name), "w") as control:
                    control.write("1")
                found.append(os.path.join(folder, name))
            except OSError:
                pass
try:
    if subprocess.run(["su", "-c", "id"], stdin=subprocess.DEVNULL, capture_output=True, timeout=5).returncode == 0:
        found.append("su")
except (OSError, subprocess.TimeoutExpired):
    pass
for what in found:
    print("FOUND", what)
print("looked")
