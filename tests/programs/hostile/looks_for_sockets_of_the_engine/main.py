"""docker.sock and its relatives, and what answers on them."""

import os
import socket

found = []

for path in ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock"):
    client = socket.socket(socket.AF_UNIX)
    try:
        client.connect(path)
        found.append(path)
    except OSError:
        pass
for folder, _, names in os.walk("/run"):
    found += [os.path.join(folder, name) for name in names if name.endswith(".sock")]
for what in found:
    print("FOUND", what)
print("looked")
