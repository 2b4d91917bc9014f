"""Runs every benchmark, or those named, and prints one table of ratios. Exit code 1 when a goal was missed."""

import importlib
import sys

from benchmarks.table import Row, render

#: Modules of this folder with `rows() -> list[Row]`, in the order of the table.
MODULES = ("cli", "report", "save", "submit", "environment", "boxes", "docker_environment", "placement", "rounds")


def main(names: list[str]) -> int:
    """Measure the modules called `names`, or all. Returns the exit code."""
    unknown = sorted(set(names) - set(MODULES))
    if unknown:
        print(f"There is no benchmark {unknown[0]!r}; choose from: {', '.join(MODULES)}.", file=sys.stderr)
        return 2
    rows: list[Row] = []
    for name in names or MODULES:
        print(f"measuring {name} …", file=sys.stderr)
        rows += importlib.import_module(f"benchmarks.{name}").rows()
    print(render(rows))
    return 1 if any(row.verdict == "missed" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
