"""What Alembic runs: the migrations, on the connection and in the transaction it is given."""

from alembic import context

from stratlab.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite changes tables by copying them.
    render_as_batch=True,
)
context.run_migrations()
