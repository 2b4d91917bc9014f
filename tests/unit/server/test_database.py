"""Transactions end whole or not at all, and what follows a commit follows nothing else."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, select
from sqlalchemy.exc import InvalidRequestError

from nsml_server.domain.ranking import Order
from nsml_server.storage import migrations
from nsml_server.storage.database import Database, after_commit
from nsml_server.storage.tables import Base, Dataset, User


@pytest.fixture(params=["file", "memory"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'rows.sqlite'}" if request.param == "file" else "sqlite://")
    migrations.upgrade(made)
    yield made
    made.close()


def count(database: Database) -> int:
    with database.read() as tx:
        return tx.scalar(select(func.count()).select_from(User)) or 0


def test_a_block_that_raises_leaves_nothing_and_tells_nobody(database: Database) -> None:
    told: list[str] = []

    def write_and_fail() -> None:
        with database.write() as tx:
            tx.add(User(name="mina", created_at=1.0))
            tx.flush()
            after_commit(tx, lambda: told.append("committed"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert (count(database), told) == (0, [])


def test_what_follows_a_commit_sees_what_was_committed(database: Database) -> None:
    seen: list[int] = []
    with database.write() as tx:
        tx.add(User(name="mina", created_at=1.0))
        after_commit(tx, lambda: seen.append(count(database)))
    assert seen == [1]


def test_rows_can_be_looked_at_after_their_transaction(database: Database) -> None:
    with database.write() as tx:
        tx.add(User(name="mina", created_at=1.0))
    with database.read() as tx:
        user = tx.scalars(select(User)).one()
    assert user.name == "mina"


def test_a_relation_that_was_not_asked_for_raises(database: Database) -> None:
    with database.write() as tx:
        tx.add(User(id=1, name="mina", created_at=1.0))
        tx.flush()
        tx.add(Dataset(name="kin", owner_id=1, metric="mse", order=Order.ASCENDING, created_at=1.0, updated_at=1.0))
    with database.read() as tx:
        dataset = tx.scalars(select(Dataset)).one()
        with pytest.raises(InvalidRequestError, match="lazy"):
            _ = dataset.owner


def test_writers_wait_for_each_other_and_lose_nothing(database: Database) -> None:
    def add(number: int) -> None:
        with database.write() as tx:
            before = tx.scalar(select(func.count()).select_from(User)) or 0
            tx.add(User(name=f"{number}-{before}", created_at=1.0))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as tx:
        names = tx.scalars(select(User.name)).all()
    assert sorted(int(name.split("-")[1]) for name in names) == list(range(20)), "each saw all before it"


def test_the_migrations_make_exactly_the_tables(database: Database) -> None:
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_a_second_start_migrates_nothing(database: Database) -> None:
    migrations.upgrade(database)
    with database.engine.connect() as connection:
        assert migrations.current_revision(connection) == migrations.HEAD


def test_the_newest_migration_is_the_one_that_is_named() -> None:
    folder = Path(migrations.__file__).parent
    assert ScriptDirectory(str(folder)).get_current_head() == migrations.HEAD
