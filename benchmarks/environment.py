"""What a program pays at its start for packages it asks for, when somebody has asked for the same before."""

import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.submit import call, ctl, measure, running_platform
from benchmarks.table import Row, compare

ROUNDS = 9
ALLOWED = 500.0  # milliseconds that a second start with the same needs may take longer than one without any
PACKAGE = "idna==3.7"  # small, pure, on every index, and no version that the platform itself brings


def rows() -> list[Row]:
    """Two programs that do nothing, by turns, on one platform: one asks for a package."""
    with tempfile.TemporaryDirectory() as folder, running_platform(Path(folder)) as login:
        without, asking = make_program(Path(folder, "without")), make_program(Path(folder, "asking"), PACKAGE)
        first = measure(lambda: run(Path(folder), login, asking))
        run(Path(folder), login, without)
        taken: dict[Path, list[float]] = {without: [], asking: []}
        for _ in range(ROUNDS):
            for program, samples in taken.items():
                samples.append(measure(lambda program=program: run(Path(folder), login, program)))
    floor, ours = statistics.median(taken[without]), statistics.median(taken[asking])
    return [
        compare("run with packages, second time, vs run without any", ours, floor, goal=None, unit="ms"),
        compare("the difference, vs the half second allowed", max(ours - floor, 0.0), ALLOWED, goal=1, unit="ms"),
        compare("run with packages, first time, vs the second", first, ours, goal=None, unit="ms"),
    ]


def make_program(folder: Path, requirement: str = "") -> Path:
    """A folder with a program that ends at once."""
    folder.mkdir()
    (folder / "main.py").write_text("import idna\n" if requirement else "")
    (folder / "requirements.txt").write_text(f"{requirement}\n")
    return folder


def run(home: Path, login: dict[str, Any], program: Path) -> None:
    """Type `nsmlctl run`, and wait until the program has ended."""
    name = json.loads(ctl(home, "run", "main.py", "-j", cwd=program).stdout)["name"]
    ctl(home, "logs", "-f", name)
    session = call(login, "GET", f"/api/v1/sessions/{name}")
    if session["state"] != "exited":
        raise RuntimeError(session["message"])
