"""What the worker and the server keep for themselves: tokens, rows, other sessions; by name, by path and by variable."""

import os
import sys

data = sys.argv[1]
found = []
SECRETS = (
    "node-token",
    "record.json",
    "nsml.sqlite",
    "broker.sqlite",
    "platform.json",
    "config.json",
    ".pgpass",
    "id_rsa",
)
for folder, names, files in os.walk("/"):
    if folder in ("/proc", "/sys"):
        names.clear()
    found += [os.path.join(folder, name) for name in files if name in SECRETS]
for path in (
    data,
    os.path.join(data, "worker"),
    os.path.join(data, "worker/containers"),
    "/proc/1/root" + data,
    "/proc/1/cwd" + data,
):
    try:
        found.append((path, os.listdir(path)))
    except OSError:
        pass
for name, value in os.environ.items():
    if (
        any(word in name.upper() for word in ("TOKEN", "SECRET", "PASSWORD", "AUTH", "BROKER", "SERVER"))
        or data in value
    ):
        found.append(name)
for what in found:
    print("FOUND", what)
print("looked")
