"""Looks for a planted secret in everything that a lab has written."""

import sqlite3
from contextlib import closing
from pathlib import Path


def places_with(secret: str, *folders: Path) -> list[str]:
    """Return the files that hold a secret, and the tables of the databases among them that do."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert files, "nothing was written at all"
    found = [str(path) for path in files if secret.encode() in path.read_bytes()]
    # A page of the database may end in the middle of a secret; a row does not.
    for path in files:
        if path.suffix == ".db":
            found += [f"{path}: {table}" for table in tables_with(secret, path)]
    return found


def tables_with(secret: str, database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return [
            name
            for (name,) in tables.fetchall()
            if any(
                secret in str(row)
                for row in connection.execute(f'SELECT * FROM "{name}"')  # noqa: S608 (its own name)
            )
        ]
