"""Every way out: addresses, names, the machine's own services, the cloud's metadata."""

import os
import socket

found = []

for address in (("1.1.1.1", 443), ("8.8.8.8", 53), ("169.254.169.254", 80), ("172.17.0.1", 22), ("127.0.0.1", 2375)):
    client = socket.socket()
    client.settimeout(2)
    try:
        client.connect(address)
        found.append(address)
    except OSError:
        pass
try:
    found.append(socket.getaddrinfo("secret-label-1.example.com", 80))
except OSError:
    pass
for name in os.listdir("/sys/class/net") if os.path.isdir("/sys/class/net") else []:
    if name != "lo":
        with open("/sys/class/net/%s/operstate" % name) as state:
            if state.read().strip() == "up":
                found.append(name)
for what in found:
    print("FOUND", what)
print("looked")
