"""Who is asking: people, browsers and nodes, each by a token."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from nsml_server.domain.names import check_user
from nsml_server.errors import Conflict, Unauthenticated
from nsml_server.services import tokens
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.repositories import accounts, nodes
from nsml_server.storage.tables import Node, Token, User

LOGIN_LINK = 300.0  # seconds in which a login link opens
BROWSER = 30 * 86400.0  # seconds a browser stays logged in


@dataclass(frozen=True)
class Caller:
    """A person who has shown a token."""

    id: int
    name: str
    admin: bool


def create_user(tx: WriteTransaction, name: str, *, admin: bool, now: float) -> tuple[User, str]:
    """A new person and their token, which is shown this once.

    Raises:
        Conflict: somebody is called so already.
    """
    if accounts.user_named(tx, check_user(name)) is not None:
        raise Conflict(f"There is a user called {name} already.", hint="Choose another name.")
    user = User(name=name, admin=admin, created_at=now)
    tx.add(user)
    tx.flush()
    return user, issue(tx, tokens.USER, now, user_id=user.id)


def ensure_user(tx: WriteTransaction, name: str, *, admin: bool, now: float) -> User:
    """The person of this name, made when there is none."""
    known = accounts.user_named(tx, check_user(name))
    if known is None:
        known = User(name=name, admin=admin, created_at=now)
        tx.add(known)
        tx.flush()
    return known


def issue(
    tx: WriteTransaction,
    kind: str,
    now: float,
    *,
    user_id: int | None = None,
    node_id: int | None = None,
    lifetime: float | None = None,
) -> str:
    """A new token; `lifetime` in seconds, none: until it is revoked."""
    token = tokens.make()
    expires_at = None if lifetime is None else now + lifetime
    row = Token(
        hash=tokens.digest(token), kind=kind, user_id=user_id, node_id=node_id, created_at=now, expires_at=expires_at
    )
    tx.add(row)
    return token


def authenticate(tx: ReadTransaction, token: str, now: float) -> Caller:
    """Whose token this is.

    Raises:
        Unauthenticated: it is nobody's, or no longer valid.
    """
    row = _valid(tx, token, now, tokens.OF_PEOPLE)
    user = accounts.user_of(tx, row.user_id) if row and row.user_id else None
    if user is None:
        raise Unauthenticated()
    return Caller(user.id, user.name, user.admin)


def authenticate_node(tx: ReadTransaction, name: str, token: str, now: float) -> Node:
    """The node of this name, when the token is its own.

    Raises:
        Unauthenticated: it is not.
    """
    row = _valid(tx, token, now, {tokens.NODE})
    node = nodes.named(tx, name)
    if row is None or node is None or row.node_id != node.id:
        raise Unauthenticated("This node token is wrong or has been revoked.", hint="Ask the operator for a new one.")
    return node


def make_login_link(tx: WriteTransaction, caller: Caller, public_url: str, now: float) -> str:
    """An address that logs a browser in once."""
    token = issue(tx, tokens.LOGIN, now, user_id=caller.id, lifetime=LOGIN_LINK)
    return f"{public_url}/enter/{token}"


def redeem_login_link(tx: WriteTransaction, token: str, now: float) -> str:
    """A browser's own token in return for the one in a link.

    Raises:
        Unauthenticated: the link was used, or is too old.
    """
    row = _valid(tx, token, now, {tokens.LOGIN})
    if row is None or not accounts.delete_token(tx, row.hash):
        raise Unauthenticated("This login link was used already or is too old.", hint="Make a new one: `nsmlctl web`.")
    return issue(tx, tokens.BROWSER, now, user_id=row.user_id, lifetime=BROWSER)


def log_in_browser(tx: WriteTransaction, token: str, now: float) -> str:
    """A browser's own token in return for a person's."""
    caller = authenticate(tx, token, now)
    return issue(tx, tokens.BROWSER, now, user_id=caller.id, lifetime=BROWSER)


def revoke(tx: WriteTransaction, token: str) -> None:
    """Let a token open nothing more; harmless when it did not."""
    accounts.delete_token(tx, tokens.digest(token))


def issue_local(tx: WriteTransaction, caller: Caller, now: float) -> str:
    """The token of the command line on this machine; those of earlier starts open nothing any more."""
    accounts.delete_tokens_of_kind(tx, tokens.LOCAL)
    return issue(tx, tokens.LOCAL, now, user_id=caller.id)


def create_node(tx: WriteTransaction, name: str, now: float) -> tuple[Node, str]:
    """A node and its token; a node that exists gets a new token and its old ones are revoked."""
    node = nodes.named(tx, check_user(name))
    if node is None:
        node = Node(name=name)
        tx.add(node)
        tx.flush()
    accounts.delete_tokens_of_node(tx, node.id)
    return node, issue(tx, tokens.NODE, now, node_id=node.id)


def _valid(tx: ReadTransaction, token: str, now: float, kinds: Collection[str]) -> Token | None:
    row = accounts.token_of(tx, tokens.digest(token))
    if row is None or row.kind not in kinds or not tokens.is_same(row.hash, token):
        return None
    return row if row.expires_at is None or row.expires_at > now else None
