"""`nsmlctl gpumonitor`: the machines, and what of them is in use."""

from __future__ import annotations

from typing import Any

import click

from nsmlctl.commands.options import GoCommand, examples, json_option
from nsmlctl.output import echo, echo_json, echo_table, size_text, tell
from nsmlctl.workplace import Workplace, pass_workplace

COLUMNS = ("Node", "State", "GPUs", "CPUs", "Memory", "Sessions")
DEVICE_COLUMNS = ("Node", "GPU", "Model", "Memory", "Driver", "State", "Busy", "Memory used")
Json = dict[str, Any]


@click.command(cls=GoCommand, epilog=examples("nsmlctl gpumonitor", "nsmlctl gpumonitor -n 5"))
@click.option("-n", "--interval", type=click.IntRange(1), help="Show it again every N seconds, until Ctrl-C.")
@json_option
@pass_workplace
def command(place: Workplace, interval: int | None, as_json: bool) -> None:
    """Show the machines and their GPUs."""
    api = place.api()
    while True:
        nodes = api.nodes()
        if as_json:
            echo_json({"nodes": nodes})
        else:
            show(nodes)
        if interval is None:
            return
        place.pause(interval)


def show(nodes: list[Json]) -> None:
    """The machines, and below them their GPUs."""
    echo_table(COLUMNS, [node_row(node) for node in nodes])
    tell_problems(nodes)
    if devices := [row for node in nodes for row in device_rows(node)]:
        echo()
        echo_table(DEVICE_COLUMNS, devices)


def tell_problems(nodes: list[Json]) -> None:
    """What the operator should look after."""
    for node in nodes:
        if node.get("problem"):
            tell(f"{node['name']} {node['problem']}")


def node_row(node: Json) -> tuple[str, ...]:
    """One machine. What a server does not tell stays empty."""
    return (
        str(node["name"]),
        _state(node),
        _used(node.get("used_gpus"), node.get("gpus")),
        _used(node.get("used_cpus"), node.get("cpus")) + _busy(node.get("busy_cpus")),
        _memory(node),
        str(node.get("runs", "")),
    )


def version_text(node: Json) -> str:
    """Its worker's version, and how that compares with the server's where it differs."""
    version, skew = str(node.get("version") or ""), node.get("skew")
    return f"{version or 'not told'}, {skew} than the server" if skew else version


def device_rows(node: Json) -> list[tuple[str, ...]]:
    """The GPUs of one machine, in the order of their numbers."""
    return [
        (
            str(node["name"]),
            str(number),
            str(device.get("model") or ""),
            size_text(device["memory"]) if device.get("memory") else "",
            str(device.get("driver") or ""),
            "used" if device.get("used") else "free",
            "" if device.get("utilisation") is None else f"{device['utilisation']} %",
            size_text(device["used_memory"]) if device.get("used_memory") else "",
        )
        for number, device in enumerate(node.get("devices") or ())
    ]


def _state(node: Json) -> str:
    if not node.get("alive"):
        return "away"
    if node.get("problem"):
        return "takes no work"
    return "drained" if node.get("drained") else "alive"


def _busy(cpus: float | None) -> str:
    return "" if cpus is None else f", {cpus:.1f} busy"


def _memory(node: Json) -> str:
    if not node.get("memory"):
        return ""
    total, used = size_text(node["memory"]), node.get("used_memory")
    return total if used is None else f"{size_text(used)} of {total} used"


def _used(used: object, total: object) -> str:
    if total is None:
        return ""
    return str(total) if used is None else f"{used} of {total} used"
