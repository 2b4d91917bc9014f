"""Two boxes of the same person at once: by path, by user, by signal and by socket nothing of the other is to be had."""

import os
import socket
import sys

data = sys.argv[1]
found = []
me = os.getuid()
for uid in range(61184, 65520):
    for become in (os.setuid, os.seteuid, os.setgid):
        try:
            if uid != me:
                become(uid)
                found.append(("became", uid))
        except OSError:
            pass
for folder, names, files in os.walk("/"):
    if folder in ("/proc", "/sys"):
        names.clear()
    for name in names + files:
        try:
            owner = os.lstat(os.path.join(folder, name)).st_uid
        except OSError:
            continue
        if 61184 <= owner < 65520 and owner != me:
            found.append(os.path.join(folder, name))
for run in range(1, 200):
    for path in ("%s/worker/containers/%d-1" % (data, run), "%s/worker/containers/%d-1/disk/app/main.py" % (data, run)):
        if os.path.exists(path):
            found.append(path)
for process in filter(str.isdigit, os.listdir("/proc")):
    try:
        with open("/proc/%s/status" % process) as status:
            uids = next(line for line in status if line.startswith("Uid:")).split()[1:]
    except (OSError, StopIteration):
        continue
    if int(uids[0]) not in (0, me):
        found.append(("process", process, uids))
with open("/proc/net/unix") as sockets:
    found += [line.split()[-1] for line in sockets if line.split()[-1].startswith("@")]
client = socket.socket()
for port in (22, 2375, 5432, 6379, 8000, 8080):
    if client.connect_ex(("127.0.0.1", port)) == 0:
        found.append(("port", port))
for what in found:
    print("FOUND", what)
print("looked")
