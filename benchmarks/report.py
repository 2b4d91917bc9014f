"""What a training loop pays for `import nsml` and for one `nsml.report`."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.table import Row, compare, take_quantile

SDK = Path(__file__).parents[1] / "sdk"
ROUNDS = 40
CALLS = 500  # in each round, ours and the floors by turns
STARTS = 30


def rows() -> list[Row]:
    """Measured in a process of its own, with the variables of a session."""
    with tempfile.TemporaryDirectory() as home:
        seen = json.loads(_run("from benchmarks.report import measure; measure()", NSML_HOME=home))
    ours, floor, ready = seen["report"], seen["json and write"], seen["write"]
    bare, importing = _measure_starts()
    return [
        compare("nsml.report, p50, vs the line made by json and one os.write", ours["p50"], floor["p50"], goal=1.5, unit="µs"),
        compare("nsml.report, p99, vs the same", ours["p99"], floor["p99"], goal=3, unit="µs"),
        compare("nsml.report, CPU, vs the same", ours["cpu"], floor["cpu"], goal=2, unit="µs"),
        compare("nsml.report, p50, vs one os.write of the finished bytes", ours["p50"], ready["p50"], goal=None, unit="µs"),
        compare("import nsml vs python -c pass", importing, bare, goal=2, unit="ms"),
    ]  # fmt: skip


def measure() -> None:
    """Print the microseconds of each way to write a line of five values. Runs inside the child process."""
    import nsml

    descriptor = os.open(Path(os.environ["NSML_HOME"], "floor"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    values = {"train/loss": 0.693147, "train/accuracy": 0.51, "val/loss": 0.7, "val/accuracy": 0.49, "lr": 0.001}
    finished = (
        json.dumps({"k": "report", "t": time.time(), "values": values, "step": 1, "summary": False}).encode() + b"\n"
    )

    def write_json() -> None:
        line = {"k": "report", "t": time.time(), "values": values, "step": 1, "summary": False}
        os.write(descriptor, json.dumps(line).encode() + b"\n")

    def report() -> None:
        nsml.report(step=1, train__loss=0.693147, train__accuracy=0.51, val__loss=0.7, val__accuracy=0.49, lr=0.001)

    ways = {"report": report, "json and write": write_json, "write": lambda: os.write(descriptor, finished)}
    print(json.dumps(_time_by_turns(ways)))


def _time_by_turns(ways: dict[str, Callable[[], object]]) -> dict[str, dict[str, float]]:
    samples: dict[str, list[float]] = {name: [] for name in ways}
    cpu = dict.fromkeys(ways, 0.0)
    for _ in range(ROUNDS):
        for name, way in ways.items():
            cpu_before = time.process_time_ns()
            for _ in range(CALLS):
                before = time.perf_counter_ns()
                way()
                samples[name].append((time.perf_counter_ns() - before) / 1000)
            cpu[name] += (time.process_time_ns() - cpu_before) / 1000
    return {
        name: {"p50": take_quantile(taken, 0.5), "p99": take_quantile(taken, 0.99), "cpu": cpu[name] / len(taken)}
        for name, taken in samples.items()
    }


def _measure_starts() -> tuple[float, float]:
    """Median milliseconds of an empty program, and of one that imports the library."""
    taken: dict[str, list[float]] = {"pass": [], "import nsml": []}
    for _ in range(STARTS):
        for code, samples in taken.items():
            before = time.perf_counter()
            _run(code)
            samples.append((time.perf_counter() - before) * 1000)
    return take_quantile(taken["pass"], 0.5), take_quantile(taken["import nsml"], 0.5)


def _run(code: str, **variables: str) -> str:
    environment = {"PYTHONPATH": f"{SDK}:{SDK.parent}", **variables}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout
