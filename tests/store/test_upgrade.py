"""Migrations make exactly the schema that the code uses, whole or not at all."""

import sqlite3
from contextlib import closing

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from stratlab.domain.errors import StoreError
from stratlab.store import open_repository
from stratlab.store.schema import REVISION, metadata
from stratlab.store.upgrade import MIGRATIONS


def tables(path):
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in rows}


def test_migrated_schema_equals_the_metadata(repository, database):
    engine = sqlalchemy.create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_migrated_tables_equal_those_of_the_metadata_to_the_letter(repository, database, tmp_path):
    # What the comparison above does not see, for example WITHOUT ROWID and the names of keys.
    def statements(path):
        query = "SELECT name, sql FROM sqlite_master WHERE type <> 'trigger' AND sql IS NOT NULL"
        with closing(sqlite3.connect(path)) as connection:
            return dict(connection.execute(query).fetchall())

    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'metadata.db'}")
    metadata.create_all(engine)
    engine.dispose()
    migrated = statements(database)
    del migrated["alembic_version"]
    assert migrated == statements(tmp_path / "metadata.db")


def test_revision_in_the_code_is_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == REVISION


def test_database_of_revision_base_is_upgraded(database):
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    open_repository(f"sqlite:///{database}").close()
    assert tables(database) == {*metadata.tables, "alembic_version"}


def test_store_opened_again_is_not_migrated_again(repository, database):
    with repository.transaction():  # a migration would wait for this writer
        again = open_repository(f"sqlite:///{database}")
        assert again.get_campaign("c1").id == "c1"
        again.close()


def test_database_of_a_newer_version_is_refused_and_left_alone(repository, database):
    repository.close()
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="9999") as caught:
        open_repository(f"sqlite:///{database}")
    assert "newer" in caught.value.hint


def test_migration_that_fails_leaves_nothing_behind(database):
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE leases (somebody TEXT)")
    with pytest.raises(StoreError, match="leases"):
        open_repository(f"sqlite:///{database}")
    assert tables(database) == {"leases"}
