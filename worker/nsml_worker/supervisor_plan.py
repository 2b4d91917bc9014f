"""What a supervisor is told, as it reads it. Standard library only."""

from __future__ import annotations


class Plan:
    """What the worker asks for; see box_plan."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        one = dict(fields)
        self.argv = [value for name, value in fields if name == "argv"]
        self.environment = dict(value.split("=", 1) for name, value in fields if name == "env")
        self.log_cap = int(one["log_cap"])  # bytes
        self.grace = float(one["grace"])  # seconds between asking and killing
        self.wall_clock = float(one["wall_clock"]) if "wall_clock" in one else None  # seconds
        self.memory = int(one.get("memory", 0))  # bytes; 0: as much as there is
        self.processes = int(one.get("processes", 0))
        self.disk = int(one.get("disk", 0))  # bytes below the folders
        self.disk_folders = [value for name, value in fields if name == "disk_folder"]
        self.uid = int(one["uid"]) if "uid" in one else None
        self.pid_namespace = one["pid_namespace"] == "yes"
