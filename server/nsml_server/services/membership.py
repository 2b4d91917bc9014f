"""How machines come and go: a join token becomes a node's own, and a node is drained before it is taken away."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from nsml_server.domain.names import check_user
from nsml_server.errors import Conflict, NotFound, Unauthenticated
from nsml_server.services import accounts, leases, nodes, tokens
from nsml_server.services.platform import Platform
from nsml_server.settings import Settings
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.repositories import accounts as account_rows
from nsml_server.storage.repositories import nodes as node_rows
from nsml_server.storage.repositories import runs as run_rows
from nsml_server.storage.tables import Node

JOIN = 24 * 3600.0  # seconds in which a join token lets one machine in


@dataclass(frozen=True)
class Joined:
    """What a machine is told, this once: its name, its own token, and where its queue is."""

    node: str
    token: str
    broker_url: str


def make_join_token(tx: WriteTransaction, name: str | None, now: float) -> str:
    """A token for one machine; with a name, for a machine of that name, which may have been here before."""
    node_id = None if name is None else _ensure(tx, name).id
    return accounts.issue(tx, tokens.JOIN, now, node_id=node_id, lifetime=JOIN)


def join(platform: Platform, tx: WriteTransaction, token: str, name: str) -> Joined:
    """Let a machine in.

    Raises:
        Unauthenticated: the token was used, is too old, or was made for another name.
        Conflict: a machine of this name is here.
    """
    check_user(name)
    known = node_rows.named(tx, name)
    if _is_operators(platform.settings, token):
        _refuse_twin(platform, known)
    else:
        row = account_rows.token_of(tx, tokens.digest(token))
        if row is None or row.kind != tokens.JOIN or (row.expires_at or 0) <= platform.now():
            raise Unauthenticated("This join token was used already or is too old.", hint=_AGAIN)
        if row.node_id is None:
            _refuse_twin(platform, known)
        elif known is None or row.node_id != known.id:
            raise Unauthenticated(f"This join token was made for a machine that is not called {name}.", hint=_NAMED)
        if not account_rows.delete_token(tx, row.hash):
            raise Unauthenticated("This join token was used already or is too old.", hint=_AGAIN)
    node, own = accounts.create_node(tx, name, platform.now())
    return Joined(node.name, own, platform.settings.worker_broker)


def set_drained(platform: Platform, tx: WriteTransaction, name: str, drained: bool) -> Node:
    """Give a machine nothing new; what runs there goes on. Or let it take runs again. Raises NotFound."""
    node = find(tx, name)
    node.drained = drained
    tx.flush()
    platform.hurry(tx)
    return node


def remove(platform: Platform, tx: WriteTransaction, name: str, *, force: bool) -> None:
    """Take a machine away: its token opens nothing any more. What ran there in the past keeps its name.

    Raises:
        NotFound: there is none.
        Conflict: runs are there, and they are not to be placed anew.
    """
    node = find(tx, name)
    node.capacity, node.connected, node.drained = None, False, False
    tx.flush()  # its row before those of its runs, as when it says hello
    held = run_rows.lock_on_node(tx, node.id)
    if held and not force:
        raise Conflict(
            f"{len(held)} run{'s are' if len(held) > 1 else ' is'} on {name}.",
            hint=f"Wait for them after `nsmlctl node drain {name}`, or have them started elsewhere with --force.",
        )
    for run in held:
        leases.take_back(platform, tx, run)
    account_rows.delete_tokens_of_node(tx, node.id)
    platform.hurry(tx)


def find(tx: ReadTransaction, name: str) -> Node:
    """The machine of this name. Raises NotFound."""
    node = node_rows.named(tx, name)
    if node is None or node.capacity is None:
        raise NotFound(f"There is no machine called {name}.", hint="`nsmlctl node ls` lists them.")
    return node


_AGAIN = "Make a new one: `nsmlctl node add`."
_NAMED = "Give the worker that name with --name, or make another token: `nsmlctl node add`."


def _ensure(tx: WriteTransaction, name: str) -> Node:
    node = node_rows.named(tx, check_user(name))
    if node is None:
        node = Node(name=name)
        tx.add(node)
        tx.flush()
    return node


def _is_operators(settings: Settings, token: str) -> bool:
    """Whether it is the one that lies in a file beside the server: it lets in any machine that can read that file."""
    kept = settings.join_token
    return kept is not None and hmac.compare_digest(kept.encode(), token.encode("utf-8", "surrogatepass"))


def _refuse_twin(platform: Platform, known: Node | None) -> None:
    if known is not None and nodes.is_here(platform, known):
        raise Conflict(
            f"A machine called {known.name} is here already.",
            hint="Give this one another name with --name, or make a token for it: "
            f"`nsmlctl node add {known.name}` on the platform.",
        )
