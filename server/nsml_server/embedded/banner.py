"""What a person reads at the start and at the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

SEALED = {
    "bubblewrap": "sealed by bubblewrap: a program sees its own code and data only, and no network",
    "namespace": "sealed by namespaces of their own: a program sees its own code and data only, and no network",
    "docker": "in containers of their own: a program sees its own code and data only",
    "docker (disks only measured)": "in containers of their own, their disks measured and not limited",
    "user": "each as a user of its own: closed to other people's files, but not to the network",
    "none": "NOT SEALED: this platform is for people you trust",
}
UNKNOWN = "not known yet: the worker has not reported; sessions wait until it does"


def greet(url: str, data: Path, confinement: str | None, login_link: str, user: str) -> str:
    """Where it is, what it is, and what to type next."""
    boxes = UNKNOWN if confinement is None else SEALED.get(confinement, confinement)
    return "\n".join(
        (
            f"nsml is up at {url}",
            f"  data      {data}",
            f"  programs  {boxes}",
            f"  browser   {login_link}  (logs {user} in, once, within 5 minutes)",
            "  next      nsmlctl dataset push NAME FOLDER -l --metric accuracy",
            "            nsmlctl run -d NAME main.py",
            "Ctrl-C stops it.",
        )
    )


def part(running: Sequence[str], seconds: float) -> str:
    """What happens to what still runs."""
    if not running:
        return "Stopping."
    listed = ", ".join(running[:10]) + (f" and {len(running) - 10} more" if len(running) > 10 else "")
    return (
        f"Stopping. Still running, in the background, and picked up at the next `nsmlctl up`: {listed}.\n"
        f"Ctrl-C again within {seconds:g} s stops them too."
    )
