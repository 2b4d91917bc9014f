"""Numbers for Prometheus, read from the rows when they are asked for: nothing is counted in the way of a request."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from nsml_server.services import nodes
from nsml_server.services.platform import Platform
from nsml_server.storage.repositories import outbox, runs


class PlatformCollector(Collector):
    """What waits, what runs, and who is there."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def collect(self) -> Iterator[Metric]:
        """One look at the rows."""
        with self._platform.database.read() as tx:
            counted = runs.count_by_state(tx)
            waiting = outbox.count(tx)
            known = nodes.all_nodes(tx)
        under_way = GaugeMetricFamily("nsml_runs", "Runs that have not ended, by state.", labels=["state"])
        for state in runs.UNDER_WAY:
            under_way.add_metric([state.value], counted.get(state, 0))
        yield under_way
        yield GaugeMetricFamily("nsml_outbox_messages", "Messages the broker has not taken yet.", value=waiting)
        here = GaugeMetricFamily("nsml_node_up", "Whether a node was heard of within a lease.", labels=["node"])
        for node in known:
            here.add_metric([node.name], float(nodes.is_here(self._platform, node)))
        yield here


def make_registry(platform: Platform) -> CollectorRegistry:
    """A registry of this application's own."""
    registry = CollectorRegistry()
    registry.register(PlatformCollector(platform))
    ProcessCollector(registry=registry)
    return registry


def render(registry: CollectorRegistry) -> bytes:
    """The text Prometheus reads."""
    return generate_latest(registry)
