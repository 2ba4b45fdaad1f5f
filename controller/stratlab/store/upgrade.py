"""Bring a database to the schema of this version; Alembic is imported only when it is not."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from stratlab.domain.errors import StoreError
from stratlab.store.database import Database
from stratlab.store.schema import REVISION

MIGRATIONS = Path(__file__).with_name("migrations")
"""Alembic's script location."""


def upgrade(database: Database) -> None:
    """Run the migrations that are missing, in one transaction.

    Processes that start together are safe: the first one migrates, the others wait for its
    commit and find nothing left to do.

    Raises:
        StoreError: The database was written by a newer version of stratlab.
        DiskFullError: No space is left.
    """
    with database.read() as connection:
        if current_revision(connection) == REVISION:
            return
    with database.write() as connection:
        revision = current_revision(connection)
        if revision != REVISION:
            _migrate(connection, revision)


def current_revision(connection: Connection) -> str:
    """Return the database's Alembic revision, "" before the first migration."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""


def _migrate(connection: Connection, revision: str) -> None:
    # keeps start-up fast: a quarter of a second that only the first start needs
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision and revision not in known:
        raise StoreError(
            f"the database has schema {revision}, which this version does not know",
            hint="Install the version of stratlab that wrote it, or a newer one.",
            revision=revision,
        )
    command.upgrade(config, "head")
