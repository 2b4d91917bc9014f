"""Whether a run can ever start here. Judged once, before it is accepted: what was accepted keeps its place, whatever is away."""

from __future__ import annotations

from nsml_server.domain.shortage import refusal
from nsml_server.errors import NeverFits
from nsml_server.services import nodes, placing
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction
from nsml_server.storage.tables import Run


def require_possible(platform: Platform, tx: ReadTransaction, run: Run) -> None:
    """Raises NeverFits when no machine that is known could hold it, were it empty. Without any machine nothing is refused."""
    views = [nodes.view_of(platform, node) for node in nodes.all_nodes(tx)]
    why = refusal(placing.waiting_of(run).shape, views)
    if why:
        raise NeverFits(f"No machine here can ever run it: {why}.")
