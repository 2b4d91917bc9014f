"""What people are told about room that is not there: why a run waits, and why one can never start."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nsml_server.domain.capacity import NodeView, Shape
from nsml_server.domain.names import shown
from nsml_server.domain.rooms import Room


def refusal(shape: Shape, nodes: Sequence[NodeView]) -> str | None:
    """Why none of these nodes can ever hold such a run, with the nearest request that one could; None when one can.

    Nodes that are not connected or drained count: they may come back. Without any node nothing is refused.
    """
    if not nodes or any(node.could_hold(shape) for node in nodes):
        return None
    meant = [node for node in nodes if node.is_meant(shape)]
    if not meant:
        return _kind_missing(shape, nodes)
    equipped = [node for node in meant if node.suitable_gpus(shape)] if shape.gpus else meant
    if not equipped:
        return _gpu_missing(shape, meant)
    nearest = min(equipped, key=lambda node: _lost(shape, node))
    gpus = min(shape.gpus, len(nearest.suitable_gpus(shape)))
    fits = _shape(gpus, min(shape.cpus, nearest.cpus), min(shape.memory, nearest.memory))
    return f"it asks for {_asked(shape)} on one machine, and the largest request that fits is {fits}"


def explain(shape: Shape, candidates: Sequence[Room], nodes: Sequence[NodeView]) -> str:
    """Why such a run waits. `candidates`: the rooms that could hold it, as they are when everything was given out."""
    if not candidates:
        return _explain_absence(shape, nodes)
    scoring = shape.scoring
    devices = [(len(r.node.suitable_gpus(shape)), r.usable_gpus(shape), r.kept_gpus(shape)) for r in candidates]
    lacks = (
        _lacking("GPU", shape.gpus, devices, _wish(shape)),
        _lacking("CPU", shape.cpus, [(r.total_cpus(scoring), r.free_cpus(scoring), r.kept_cpus) for r in candidates]),
        _lacking("byte", shape.memory, [(r.node.memory, r.free_memory, r.kept_memory) for r in candidates]),
    )
    return next(filter(None, lacks), f"waits for {_asked(shape)} on one machine: each is free, but not on the same one")


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th …."""
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def _explain_absence(shape: Shape, nodes: Sequence[NodeView]) -> str:
    if not nodes:
        return "waits for a worker: none is connected"
    if never := refusal(shape, nodes):
        return f"waits for another machine: {never}"
    able = sorted((node for node in nodes if node.could_hold(shape)), key=lambda node: node.name)
    deaf, away = [node for node in able if node.deaf], [node for node in able if not node.connected]
    if deaf and not away:
        return f"waits for {_either(deaf)}, which does not take its work now"
    if not away:
        return f"waits for {_either(able)}, which takes nothing new now"
    return f"waits for {_either(away)}, not connected now"


def _either(nodes: Iterable[NodeView]) -> str:
    return " or ".join(node.name for node in nodes)


def _kind_missing(shape: Shape, nodes: Sequence[NodeView]) -> str:
    if shape.node and all(node.name != shape.node for node in nodes):
        return f"there is no machine called {shown(shape.node)}; there are {_listed(node.name for node in nodes)}"
    if shape.runtime:
        there = {runtime for node in nodes for runtime in node.runtimes}
        return f"it needs the runtime {shown(shape.runtime)}, and the machines here have {_listed(there)}"
    return "it needs a Docker image, and no machine here runs containers"


def _gpu_missing(shape: Shape, nodes: Sequence[NodeView]) -> str:
    gpus = [gpu for node in nodes for gpu in node.gpus]
    if not gpus:
        return f"it asks for {_asked(shape)}, and the machines here have no GPU"
    models, drivers = {gpu.model for gpu in gpus}, {gpu.driver for gpu in gpus}
    return f"it asks for {_asked(shape)}, and there are {_listed(models)} with driver {_listed(drivers)}"


def _listed(words: Iterable[str]) -> str:
    known = sorted(filter(None, words))
    return ", ".join(known) or "none that are known"


def _lost(shape: Shape, node: NodeView) -> tuple[int, int, int, str]:
    """How much of its request a run would have to give up on this node."""
    return (
        max(0, shape.gpus - len(node.suitable_gpus(shape))),
        max(0, shape.cpus - node.cpus),
        max(0, shape.memory - node.memory),
        node.name,
    )


def _lacking(unit: str, need: int, rooms: Sequence[tuple[int, int, int]], wish: str = "") -> str | None:
    """The sentence when no room has enough of the unit. Each room is its (total, free, kept for a run ahead)."""
    if any(need <= free for _, free, _ in rooms):
        return None
    total, free, kept = (sum(column) for column in zip(*rooms, strict=True))
    one = " on one machine" if need <= free else ""
    text = f"waits for {_amount(unit, need)}{wish}{one}: {_part(unit, total - free - kept, total)} in use"
    return text + (f" and {_amount(unit, kept)} kept for runs ahead" if kept else "")


def _asked(shape: Shape) -> str:
    return _shape(shape.gpus, shape.cpus, shape.memory, _wish(shape))


def _wish(shape: Shape) -> str:
    wish = f" of model {shown(shape.gpu_model)}" if shape.gpu_model else ""
    return wish + (f" with driver {shape.gpu_driver} or newer" if shape.gpu_driver else "")


def _shape(gpus: int, cpus: int, memory: int, wish: str = "") -> str:
    parts = [_amount("GPU", gpus) + wish] if gpus else []
    parts.append(_amount("CPU", cpus))
    if memory:
        parts.append(_amount("byte", memory))
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]


def _amount(unit: str, count: int) -> str:
    if unit == "byte":
        return f"{count / 2**30:.1f} GiB of memory"
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _part(unit: str, used: int, total: int) -> str:
    if unit == "byte":
        return f"{used / 2**30:.1f} of {total / 2**30:.1f} GiB are"
    return f"{used} of {total} {'is' if used == 1 else 'are'}"
