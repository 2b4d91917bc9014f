"""The one door to the rows: a read transaction or a write transaction, and what happens after a commit.

SQLite runs in WAL mode with `synchronous=FULL`: an accepted run or submit has reached the disk before it is answered, which
costs about a millisecond a commit; NORMAL would be quicker and lose accepted work when the power goes.

A writing transaction begins with BEGIN IMMEDIATE, so that it holds the write lock before it reads: what it read is still
true when it writes. Writers of this process queue at a lock of our own first, in order and without SQLite's sleeping
retries. On PostgreSQL a run is locked before it is read to be moved (see repositories/runs.py), and what else must be read and
written as one is guarded by conditional updates and `wait_for_turn`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, NewType, cast

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

ReadTransaction = NewType("ReadTransaction", Session)
WriteTransaction = NewType("WriteTransaction", ReadTransaction)

BUSY_TIMEOUT = 30_000  # milliseconds a writer of another process is waited for
_AFTER = "after_commit"
_WRITES = "nsml_writes"


def after_commit(tx: WriteTransaction, action: Callable[[], None]) -> None:
    """Do this once the transaction is committed, and never when it is not: hints, notices, messages."""
    tx.info.setdefault(_AFTER, []).append(action)


def wait_for_turn(tx: WriteTransaction, what: str) -> None:
    """Whoever else asks for the same waits until our commit. SQLite's writers are one at a time anyhow."""
    if tx.get_bind().dialect.name == "postgresql":
        tx.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:what, 0))"), {"what": what})


class Database:
    """Opens transactions on one database.

    Args:
        url: an SQLAlchemy URL; ``sqlite://`` alone is a database in memory, shared by all threads, for tests.
    """

    def __init__(self, url: str) -> None:
        self.engine = _create_engine(url)
        self._writing = self.engine.execution_options(**{_WRITES: True})
        self._in_memory = self.is_sqlite and not make_url(url).database
        # One at a time: SQLite has one writer, and a database in memory one connection.
        self._turn = threading.Lock()

    @property
    def is_sqlite(self) -> bool:
        """Whether the rows are in SQLite rather than PostgreSQL."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[ReadTransaction]:
        """A transaction that sees one moment and changes nothing."""
        with self._turn if self._in_memory else nullcontext(), Session(self.engine, expire_on_commit=False) as session:
            # Left by closing, not by a rollback: what was read may be looked at afterwards.
            yield ReadTransaction(session)

    @contextmanager
    def write(self) -> Iterator[WriteTransaction]:
        """A transaction that is committed when the block ends well and undone when it raises."""
        with self._turn if self.is_sqlite else nullcontext(), self._begin() as session:
            yield WriteTransaction(ReadTransaction(session))
            session.commit()
            actions = cast(list[Callable[[], None]], session.info.get(_AFTER, []))
        for action in actions:
            action()

    def check(self) -> None:
        """Raises when the database does not answer."""
        with self.read() as tx:
            tx.execute(text("SELECT 1"))

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    def _begin(self) -> Session:
        return Session(self._writing, expire_on_commit=False)


def _create_engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True, pool_size=20, max_overflow=20)
    if parsed.database:
        engine = create_engine(parsed, pool_size=5, max_overflow=45)
    else:
        engine = create_engine(parsed, poolclass=StaticPool, connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves: the driver's own comes too late to hold a lock
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT}",
        "cache_size=-8192",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
