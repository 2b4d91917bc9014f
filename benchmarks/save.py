"""How long a training is held by `nsml.save`, against the callback alone and the callback with one hash."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import blake3

from benchmarks.table import Row, compare

SDK = Path(__file__).parents[1] / "sdk"
SIZE = 100 * 2**20  # bytes
ROUNDS = 9


def rows() -> list[Row]:
    """Measured in a process of its own, with the variables of a session."""
    with tempfile.TemporaryDirectory() as home:
        environment = {"PYTHONPATH": f"{SDK}:{SDK.parent}", "NSML_HOME": home}
        command = [sys.executable, "-c", "from benchmarks.save import measure; measure()"]
        seen = json.loads(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    return [
        compare("nsml.save of 100 MB vs the callback plus one hash", seen["save"], seen["hashed"], goal=1.1, unit="ms"),
        compare("nsml.save of 100 MB vs the callback alone", seen["save"], seen["callback"], goal=1.1, unit="ms"),
    ]


def measure() -> None:
    """Print the median milliseconds of each way. Runs inside the child process."""
    import nsml

    home = Path(os.environ["NSML_HOME"])
    weights = os.urandom(SIZE)

    def write(path: str) -> None:
        Path(path, "weights").write_bytes(weights)

    def write_and_hash() -> None:
        write(str(home / "bare"))
        blake3.blake3().update_mmap(home / "bare" / "weights").hexdigest()

    nsml.bind(save=write)
    ways: dict[str, Callable[[], object]] = {
        "callback": lambda: write(str(home / "bare")),
        "hashed": write_and_hash,
        "save": lambda: nsml.save("epoch"),
    }
    print(json.dumps(_time_by_turns(ways, home)))


def _time_by_turns(ways: dict[str, Callable[[], object]], home: Path) -> dict[str, float]:
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            (home / "bare").mkdir()
            before = time.perf_counter()
            way()
            samples[name].append((time.perf_counter() - before) * 1000)
            # Deleted before the kernel writes it out: the disk's own speed is nobody's here.
            shutil.rmtree(home / "bare")
            shutil.rmtree(home / "checkpoints", ignore_errors=True)
    return {name: statistics.median(taken) for name, taken in samples.items()}
