"""Options that several commands share, and values that need reading."""

from __future__ import annotations

import re
from typing import Any

import click

from nsmlctl.errors import BadUsage

json_option = click.option("-j", "--json", "--json-return", "as_json", is_flag=True, help="Print JSON, for scripts.")

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


class Bytes(click.ParamType[int]):
    """12G, 512M, 50GB or a number of bytes."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Raises BadUsage for anything else."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", str(value), re.IGNORECASE)
        if found is None:
            raise BadUsage(f"'{value}' is not a size.", "Write it like 12G, 512M or a number of bytes.")
        return int(float(found[1]) * UNITS[found[2].upper()])


def examples(*lines: str) -> str:
    """The end of a command's --help."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
