"""Users and the tokens that open doors."""

from __future__ import annotations

from sqlalchemy import delete, select

from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.tables import Token, User


def user_named(tx: ReadTransaction, name: str) -> User | None:
    """The user of this name."""
    return tx.scalar(select(User).where(User.name == name))


def user_of(tx: ReadTransaction, user_id: int) -> User | None:
    """The user of this id."""
    return tx.get(User, user_id)


def token_of(tx: ReadTransaction, digest: str) -> Token | None:
    """The token with this sha256."""
    return tx.get(Token, digest)


def delete_token(tx: WriteTransaction, digest: str) -> bool:
    """Revoke; False when it is gone already, so that of two who redeem a single-use token one wins."""
    return tx.connection().execute(delete(Token).where(Token.hash == digest)).rowcount == 1


def delete_tokens_of_node(tx: WriteTransaction, node_id: int) -> None:
    """Revoke every token of a node."""
    tx.execute(delete(Token).where(Token.node_id == node_id))


def delete_tokens_of_kind(tx: WriteTransaction, kind: str) -> None:
    """Revoke every token of a kind."""
    tx.execute(delete(Token).where(Token.kind == kind))


def delete_expired_tokens(tx: WriteTransaction, now: float) -> None:
    """Forget what no longer opens anything."""
    tx.execute(delete(Token).where(Token.expires_at < now))
