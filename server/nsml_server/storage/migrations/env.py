"""Run by Alembic: applies versions/ on the connection it is given."""

from alembic import context

from nsml_server.storage.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
)
with context.begin_transaction():
    context.run_migrations()
