"""The schema's history, applied at each start. Alembic is loaded only when there is something to apply: it costs memory."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from nsml_server.storage.database import Database

HEAD = "0009"  # the newest file of versions/
_VERSION_TABLE = "alembic_version"


def upgrade(database: Database) -> None:
    """Bring the schema up to this release; harmless when it is."""
    with database.engine.connect() as connection:
        current = current_revision(connection)
    if current == HEAD:
        return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


def current_revision(connection: Connection) -> str | None:
    """Which release made this schema; None for an empty database."""
    if not inspect(connection).has_table(_VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {_VERSION_TABLE}")).scalar()  # noqa: S608
