"""Connections: consistent reads, and writers that take turns on every database.

SQLite runs in WAL mode, so reads never wait for a writer. A writer begins with
``BEGIN IMMEDIATE``: the default deferred mode reads first and upgrades later, which loses the
race silently or fails. On PostgreSQL one advisory lock gives the same order of writers, so
both databases have the same semantics and the code above has no branches.

``synchronous`` is FULL: with NORMAL a killed process loses nothing either, but a power cut
may undo the last commits, and a ledger of money or of holdout openings must never understate.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry

from stratlab.domain.errors import StoreError
from stratlab.store.failures import BUSY_SECONDS, translated

_WRITES = "stratlab_writes"
_WRITER_LOCK = 0x5354524C  # any constant that nobody else locks in this database
_POOL_SIZE = 4
_POOL_OVERFLOW = 60
_CACHE_KIB = 512  # of each SQLite connection; the operating system caches the file anyway


@final
class Database:
    """One database with its connection pool; safe from any thread.

    Args:
        url: SQLAlchemy URL.

    Raises:
        StoreError: The URL is wrong or its driver is missing.
    """

    def __init__(self, url: str) -> None:
        engine = _engine(url)
        self._readers = engine
        self._writers = engine.execution_options(**{_WRITES: True})
        if engine.dialect.name == "postgresql":
            self._readers = engine.execution_options(isolation_level="REPEATABLE READ")
        self._local = threading.local()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the database.

        Raises:
            StoreError: The database failed.
        """
        with translated(), self._readers.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open the one write transaction: commit on leaving, roll back on an exception.

        Raises:
            StoreError: The database failed, or this thread already has one open.
            DiskFullError: The disk is full; nothing was written.
        """
        if getattr(self._local, "writing", False):
            raise StoreError(
                "this thread already has a write transaction open",
                hint="Finish the first one: waiting for it here would never end.",
            )
        self._local.writing = True
        try:
            with translated(), self._writers.begin() as connection:
                yield connection
        finally:
            self._local.writing = False

    def close(self) -> None:
        """Close all connections."""
        self._readers.dispose()


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        match parsed.get_backend_name():
            case "sqlite":
                return _sqlite(parsed)
            case "postgresql":
                return _postgresql(parsed)
            case other:
                raise StoreError(
                    f"databases of kind {other!r} are not supported",
                    hint="Use a sqlite:/// or postgresql:// URL for store.url.",
                )
    except ArgumentError as error:
        raise StoreError(
            "the database URL cannot be read", hint="Correct store.url in the settings."
        ) from error
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise StoreError(
            f"the driver for this database URL is missing: {error}",
            hint="Install the driver that the URL names, for example psycopg.",
        ) from error


def _sqlite(url: URL) -> Engine:
    if url.database in {None, "", ":memory:"} or "mode" in url.query:
        raise StoreError(
            "an SQLite store needs a file", hint="Set store.url to sqlite:////path/to/file.db."
        )
    _make_directory(Path(str(url.database)).parent)
    engine = create_engine(
        url,
        pool_size=_POOL_SIZE,
        max_overflow=_POOL_OVERFLOW,
        connect_args={"timeout": BUSY_SECONDS},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, see below
        _switch_to_wal(connection)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the directory of the database cannot be made: {error.strerror}: {directory}",
            hint="Set `home` or `store.url` to a place where you may write.",
        ) from error


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # A property of the file, so this does nothing after the first time. The switch itself
    # ignores the busy timeout: a second process that starts at this moment must try again.
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorname.startswith("SQLITE_BUSY")
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _postgresql(url: URL) -> Engine:
    engine = create_engine(url, pool_size=_POOL_SIZE, max_overflow=_POOL_OVERFLOW)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(_WRITES):
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{BUSY_SECONDS}s'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER_LOCK})")

    return engine
